# Classification of ldraw (55 classes).
_base_ = './cls_kicad.py'

model = dict(head=dict(num_classes=55))
train_dataloader = dict(dataset=dict(files=['ldraw.npz'], label_key='label'))
val_dataloader = dict(dataset=dict(files=['ldraw.npz'], label_key='label'))
test_dataloader = val_dataloader
