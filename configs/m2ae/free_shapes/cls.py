# Classify the CC0 shapes that come with the package (30 classes), in sizes for CPUs; 30 epochs in place of 300:
# tools/train.py configs/m2ae/free_shapes/cls.py --cfg-options \
#     model.backbone.init_cfg.checkpoint=work_dirs/pretrain/epoch_30.pth
# Without the option from scratch; --pretrained shapes_small takes the weights that come with the package.
# The whole of free_shapes: --data FOLDER --cfg-options model.head.num_classes=97
_base_ = ['../modelnet40_cls.py', '../../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, head=dict(num_classes=30, in_channels=256))
shapes = dict(_delete_=True, type='M2AEFreeShapes', labelled_only=True, pipeline=[dict(type='M2AEPackShape')])
train_dataloader = dict(num_workers=2, dataset=dict(split='train', **shapes))
val_dataloader = dict(num_workers=2, dataset=dict(split='test', test_mode=True, **shapes))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=30, val_interval=30)
param_scheduler = [dict(_base_.warm_up, end=3), dict(_base_.cosine, begin=3, end=30)]
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1))
