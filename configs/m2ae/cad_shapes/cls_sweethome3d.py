# Classification of sweethome3d (28 classes).
_base_ = './cls_kicad.py'

model = dict(head=dict(num_classes=28))
train_dataloader = dict(dataset=dict(files=['sweethome3d.npz'], label_key='label'))
val_dataloader = dict(dataset=dict(files=['sweethome3d.npz'], label_key='label'))
test_dataloader = val_dataloader
