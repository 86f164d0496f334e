# Few-shot classification on ModelNet40, 5-way 20-shot: 98.3 +- 1.4 % over ten folds (table 4).
# tools/fewshot.py configs/m2ae/modelnet40_fewshot_5way_20shot.py --checkpoint PRETRAINED.pth
_base_ = './modelnet40_fewshot_5way_10shot.py'

model = dict(head=dict(num_classes=5))
train_dataloader = dict(dataset=dict(way=5, shot=20))
val_dataloader = dict(dataset=dict(way=5, shot=20))
test_dataloader = val_dataloader
