# scannet_3detr-m_pretrain.py on composed rooms, sizes for two CPU cores. Go on with rooms_3detr-m_det.py.
_base_ = ['./rooms_pretrain.py', '../_base_/models/three_detr_encoder.py']

train_dataloader = dict(batch_size=4)
model = dict(
    backbone=dict(
        _delete_=True,
        **dict(_base_.three_detr_encoder, masking_radii=None, **_base_.rooms_three_detr_encoder)),
    neck=dict(encoder_dims=[128, 128], embed_dims=[128], depths=[1]),
    head=dict(in_channels=128, num_points=8))
find_unused_parameters = False  # as in scannet_3detr-m_pretrain.py

epochs = 5
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=epochs)]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
auto_scale_lr = dict(base_batch_size=4)
