# Few-shot classification on ModelNet40, 10-way 20-shot: 95.0 +- 3.0 % over ten folds (table 4).
# tools/fewshot.py configs/m2ae/modelnet40_fewshot_10way_20shot.py --checkpoint PRETRAINED.pth
_base_ = './modelnet40_fewshot_5way_10shot.py'

model = dict(head=dict(num_classes=10))
train_dataloader = dict(dataset=dict(way=10, shot=20))
val_dataloader = dict(dataset=dict(way=10, shot=20))
test_dataloader = val_dataloader
