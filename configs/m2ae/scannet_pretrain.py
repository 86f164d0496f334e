# Pre-train the hierarchical encoder on scenes, then go on with scannet_det.py.
_base_ = ['../_base_/datasets/scannet_pretrain.py', '../_base_/default_runtime.py']

# Scales for rooms in metres (ours; the paper pre-trains the 3DETR-m encoder, see scannet_3detr-m_pretrain.py): the
# finest has 3DETR's 2,048 centres, the coarser ones follow the ratios of the paper's shapes (1/2, then 1/4, groups of
# 8), so that masking 80 % of the coarsest leaves about as much visible: 58 / 36 / 20 % on a real scan. Widths and
# depths are the paper's.
encoder_dims = [96, 192, 384]
model = dict(
    type='PointM2AE',
    backbone=dict(
        type='PointM2AEEncoder',
        num_centers=[2048, 1024, 256],
        num_neighbors=[32, 8, 8],
        embed_dims=encoder_dims,
        depths=[5, 5, 5],
        radii=None),  # local attention is off in pre-training (section 4.1)
    neck=dict(type='PointM2AEDecoder', encoder_dims=encoder_dims, embed_dims=[384, 192], depths=[1, 1]),
    head=dict(type='PointM2AEPretrainHead', in_channels=192, num_points=16),
    mask_ratio=0.8)

# 1080 epochs, learning rate 5e-4 (section 4.3, detection). The weight decay of shape pre-training; none on biases,
# norms and the mask token (ours; shape pre-training leaves out token embedding, merging and propagation, too).
optim_wrapper = dict(
    type='M2AEOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05, fused=True),
    constructor='M2AEOptimWrapperConstructor',
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0., no_decay=['mask_token']))
param_scheduler = [
    dict(type='LinearLR', start_factor=2e-3, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),  # from 1e-6
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=10, end=1080, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1080, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
# The norm of the finest stage feeds nothing: the decoder ends at scale 2.
find_unused_parameters = True
