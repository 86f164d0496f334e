# Semantic segmentation of composed rooms, whole, with sizes for two CPU cores. Not a setting of the paper.
# For scans of your own override data_root and metainfo.classes of the data sets: docs/tasks/semantic_segmentation.md.
_base_ = [
    '../_base_/models/scene_seg.py', '../_base_/models/rooms_sizes.py', '../_base_/datasets/rooms_seg.py',
    '../_base_/schedules/rooms.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=_base_.finetuned_rooms_encoder,
    neck=dict(encoder_dims=_base_.rooms_encoder['embed_dims'], out_channels=[128, 128, 32]),
    # So short a training underfits: no dropout.
    decode_head=dict(in_channels=32, channels=32, dropout_ratio=0.),
    test_cfg=dict(mode='whole', num_points=8192))

epochs = 20
# So few steps would not bring the scores of a narrow head far enough apart; mmsegmentation's factor for heads.
optim_wrapper = dict(
    constructor='M2AEOptimWrapperConstructor',
    optimizer=dict(lr=1.5e-3),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.))))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = epochs
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
