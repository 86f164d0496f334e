# Pre-train on the CC0 shapes that come with the package, in sizes for CPUs:
# tools/train.py configs/m2ae/free_shapes/pretrain.py
# The whole of free_shapes, or packs of your own whose shapes are in the unit sphere: --data FOLDER
_base_ = '../cad_shapes/pretrain_small.py'

shapes = dict(type='M2AEFreeShapes', data_root=None, files=[])
train_dataloader = dict(dataset=shapes)
val_dataloader = dict(dataset=shapes)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=30, val_interval=10)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=30)]
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1))
