# scannet_3detr-m_pretrain.py on composed rooms, sizes for two CPU cores. Go on with rooms_3detr-m_det.py.
_base_ = './scannet_3detr-m_pretrain.py'

num_points = 8192
train_pipeline = _base_.train_pipeline
train_pipeline[3].num_points = num_points
test_pipeline = _base_.test_pipeline
test_pipeline[3].num_points = num_points
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader

encoder_dims = [128, 128]
model = dict(
    backbone=dict(  # as in ../3detr/3detr-m_rooms.py
        num_points=384,
        num_samples=16,
        mlp_channels=(32, 64),
        embed_dims=128,
        dropout=0.,
        interim=dict(num_points=192, num_samples=8, mlp_channels=(128, 128))),
    neck=dict(encoder_dims=encoder_dims, embed_dims=[128]),
    head=dict(in_channels=128, num_points=8))

epochs = 5
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
