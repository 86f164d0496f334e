# ssd3d_m2ae_scannet.py on composed rooms, sizes for two CPU cores; data as in
# projects/votenet_m2ae/configs/votenet_rooms.py.
_base_ = './ssd3d_m2ae_scannet.py'

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
val_dataloader = dict(batch_size=4, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    # As in configs/m2ae/rooms_pretrain.py, but for twice the coarsest tokens: 64 of them are candidates.
    backbone=dict(
        num_centers=[384, 192, 96],
        num_neighbors=[16, 8, 8],
        embed_dims=[32, 64, 128],
        depths=[1, 1, 1],
        num_heads=4,
        point_hidden=[16, 32, 64],
        drop_path_rate=0.),
    bbox_head=dict(
        vote_module_cfg=dict(in_channels=128, num_points=64),
        vote_aggregation_cfg=dict(
            num_point=64, sample_nums=(8, 16), mlp_channels=((128, 128, 128), (128, 128, 128))),
        pred_layer_cfg=dict(in_channels=256, shared_conv_channels=(256, 128))))

# Schedule as in configs/_base_/schedules/rooms.py.
epochs = 5
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=1.))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
auto_scale_lr = dict(base_batch_size=4)
randomness = dict(seed=0)
