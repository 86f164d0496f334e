# mmdet3d's VoteNet with its own backbone on composed rooms, sizes for two CPU cores.
_base_ = 'mmdet3d::votenet/votenet_8xb8_scannet-3d.py'
custom_imports = dict(imports=['m2ae_mm'], allow_failed_imports=False)

num_points = 8192
draw_same_points = dict(type='M2AESamplePoints', num_points=num_points, seed=0)
train_pipeline = [dict(step, num_points=num_points) if step['type'] == 'PointSample' else step
                  for step in _base_.train_pipeline]
test_pipeline = [
    dict(step, transforms=[draw_same_points if each['type'] == 'PointSample' else each for each in step['transforms']])
    if 'transforms' in step else step for step in _base_.test_pipeline
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(times=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline)))
val_dataloader = dict(batch_size=8, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(
        num_points=(384, 192, 96, 48),
        num_samples=(16, 16, 16, 16),
        sa_channels=((32, 32, 64), (64, 64, 128), (64, 64, 128), (64, 64, 128)),
        fp_channels=((128, 128), (128, 256))),
    bbox_head=dict(vote_aggregation_cfg=dict(num_point=64)))

# The learning rate of VoteNet's authors (their batches are of 8); schedule as in configs/_base_/schedules/rooms.py.
epochs = 5
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=5, max_keep_ckpts=1))
randomness = dict(seed=0)

val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
visualizer = dict(type='M2AELocalVisualizer')  # mmdet3d's own opens a window
