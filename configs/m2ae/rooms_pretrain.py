# The demo's pre-training: composed rooms (tools/create_rooms.py), sizes for two CPU cores. Not a setting of the paper.
_base_ = './scannet_pretrain.py'

num_points = 8192
train_pipeline = _base_.train_pipeline
train_pipeline[3].num_points = num_points
test_pipeline = _base_.test_pipeline
test_pipeline[3].num_points = num_points
train_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

encoder_dims = [32, 64, 128]
model = dict(
    backbone=dict(
        num_centers=[384, 192, 48],
        num_neighbors=[16, 8, 8],
        embed_dims=encoder_dims,
        depths=[1, 1, 1],
        num_heads=4,
        point_hidden=[16, 32, 64]),
    neck=dict(encoder_dims=encoder_dims, embed_dims=[128, 64], num_heads=4),
    head=dict(in_channels=64))

epochs = 8
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=8)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
