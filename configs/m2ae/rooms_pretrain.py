# The demo's pre-training: composed rooms (tools/create_rooms.py), sizes for two CPU cores. Not a setting of the paper.
_base_ = ['./scannet_pretrain.py', '../_base_/models/rooms_sizes.py']

draw_points = dict(type='PointSample', num_points=8192)
draw_same_points = dict(type='M2AESamplePoints', num_points=8192, seed=0)
train_pipeline = [*_base_.load_points, draw_points, *_base_.augment, _base_.pack_points]
test_pipeline = [*_base_.load_points, draw_same_points, _base_.pack_points]
train_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=_base_.rooms_encoder,
    neck=dict(encoder_dims=_base_.rooms_encoder['embed_dims'], embed_dims=[128, 64], num_heads=4),
    head=dict(in_channels=64))

epochs = 8
optim_wrapper = dict(optimizer=dict(lr=1e-3))
warm_up = dict(_base_.warm_up, start_factor=0.01, end=1)
cosine = dict(_base_.cosine, begin=1, end=epochs)
param_scheduler = [warm_up, cosine]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
