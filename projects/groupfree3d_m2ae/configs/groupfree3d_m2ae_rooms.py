# groupfree3d_m2ae_scannet.py on composed rooms, sizes for two CPU cores; data as in
# projects/votenet_m2ae/configs/votenet_rooms.py.
_base_ = './groupfree3d_m2ae_scannet.py'

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
# mmdet3d's head predicts one scene at a time.
val_dataloader = dict(batch_size=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

encoder_dims = [32, 64, 128]
model = dict(
    backbone=dict(  # sizes as in configs/m2ae/rooms_pretrain.py
        num_centers=[384, 192, 48],
        num_neighbors=[16, 8, 8],
        embed_dims=encoder_dims,
        depths=[1, 1, 1],
        num_heads=4,
        point_hidden=[16, 32, 64],
        drop_path_rate=0.),
    neck=dict(encoder_dims=encoder_dims),
    bbox_head=dict(
        num_decoder_layers=2, num_proposal=64, transformerlayers=dict(ffn_cfgs=dict(feedforward_channels=288))),
    test_cfg=dict(prediction_stages='last'))  # mmdet3d's 'last_three' needs three decoder layers

# mmdet3d's 6e-3 is for 32 scenes per step. Schedule as in configs/_base_/schedules/rooms.py.
epochs = 5
optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
auto_scale_lr = dict(base_batch_size=4)
randomness = dict(seed=0)
