# 3DETR-m on composed rooms, sizes for two CPU cores. Not a setting of the paper.
_base_ = [
    '../_base_/models/three_detr_masked.py', '../_base_/datasets/rooms_det.py', '../_base_/schedules/rooms.py',
    '../_base_/default_runtime.py'
]

model = dict(
    # So short a training underfits: no dropout.
    backbone=dict(
        num_points=384,
        num_samples=16,
        mlp_channels=(32, 64),
        embed_dims=128,
        dropout=0.,
        interim=dict(num_points=192, num_samples=8, mlp_channels=(128, 128))),
    bbox_head=dict(
        in_channels=128,
        projection_channels=(128, ),
        embed_dims=128,
        num_queries=64,
        num_layers=3,
        feedforward_channels=128,
        dropout=0.,
        mlp_dropout=0.))
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
