# Classification of kicad with merged connector classes (47); everything but the data is as on ModelNet40.
# tools/train.py configs/m2ae/cad_shapes/cls_kicad.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
_base_ = '../modelnet40_cls.py'

model = dict(head=dict(num_classes=47))
shapes = dict(
    _delete_=True,
    type='M2AEShapesNpz',
    data_root='data/cad_shapes/',
    files=['kicad.npz'],
    label_key='label_coarse',
    labelled_only=True,
    pipeline=[dict(type='M2AEPackShape')])
train_dataloader = dict(dataset=dict(split='train', **shapes))
val_dataloader = dict(dataset=dict(split='test', test_mode=True, **shapes))
test_dataloader = val_dataloader
