# V-DETR's decoder on the encoder of the demo: composed rooms, sizes for two CPU cores. Not a setting of the paper;
# what differs from the published head is what finds most after so short a training.
_base_ = [
    '../_base_/models/vdetr.py', '../_base_/models/rooms_sizes.py', '../_base_/datasets/rooms_det.py',
    '../_base_/datasets/scannet_mean_sizes.py', '../_base_/schedules/rooms_m2ae.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(_delete_=True, **_base_.finetuned_rooms_encoder),
    neck=_base_.rooms_neck,
    bbox_head=dict(
        _delete_=True,
        type='VDETRHead',
        num_classes=18,
        in_channels=128,
        embed_dims=128,
        num_queries=64,
        num_layers=3,
        num_heads=4,
        feedforward_channels=128,
        dropout=0.,
        mlp_dropout=0.,
        anchor_sizes=_base_.mean_sizes,
        query_content='tokens',
        position_encoding='fourier',
        relative_to='previous',
        read_positions=True,
        read_points=True),
    train_cfg=dict(
        _delete_=True,
        class_target='overlap',
        matcher=dict(copies=5, first_assignment='nearest', nearest_tokens=4)),
    test_cfg=dict(_delete_=True, nms_thr=0.25, score_thr=0., min_points=0))

epochs = 16  # 608 steps of 8 of the demo's 300 rooms: its minutes
cosine = dict(_base_.cosine, end=epochs)
param_scheduler = [_base_.warm_up, cosine]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
# The norm of the finest stage feeds nothing here.
find_unused_parameters = True
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
