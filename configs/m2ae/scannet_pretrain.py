# Pre-train the hierarchical encoder on scenes, then go on with scannet_det.py.
_base_ = [
    '../_base_/models/scene_encoder.py', '../_base_/datasets/scannet_pretrain.py', '../_base_/default_runtime.py'
]

model = dict(
    type='PointM2AE',
    backbone=dict(radii=None, **_base_.scene_encoder),  # local attention is off in pre-training (section 4.1)
    neck=dict(type='PointM2AEDecoder', encoder_dims=_base_.encoder_dims, embed_dims=[384, 192], depths=[1, 1]),
    head=dict(type='PointM2AEPretrainHead', in_channels=192, num_points=16),
    mask_ratio=0.8)

# 1080 epochs, learning rate 5e-4 (section 4.3, detection). The weight decay of shape pre-training; none on biases,
# norms and the mask token (ours; shape pre-training leaves out token embedding, merging and propagation, too).
optim_wrapper = dict(
    type='M2AEOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05, fused=True),
    constructor='M2AEOptimWrapperConstructor',
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0., no_decay=['mask_token']))
# From 1e-6, and down to it.
warm_up = dict(type='LinearLR', start_factor=2e-3, by_epoch=True, begin=0, end=10, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=10, end=1080, convert_to_iter_based=True)
param_scheduler = [warm_up, cosine]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1080, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
# The norm of the finest stage feeds nothing: the decoder ends at scale 2.
find_unused_parameters = True
