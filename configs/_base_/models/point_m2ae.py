# Point-M2AE for shapes in the unit sphere: sizes of the paper (section 4.1, appendix A).
_base_ = './shape_encoder.py'

model = dict(
    type='PointM2AE',
    data_preprocessor=dict(type='M2AEShapePreprocessor'),
    # Local attention is off in pre-training and the linear probe (section 4.1).
    backbone=dict(radii=None, **_base_.shape_encoder),
    neck=dict(
        type='PointM2AEDecoder',
        encoder_dims=_base_.encoder_dims,
        embed_dims=[384, 192],
        depths=[1, 1],
        num_heads=6,
        drop_path_rate=0.1),
    # The published head predicts k_1 = 16 points against k_2 = 8 true ones.
    head=dict(type='PointM2AEPretrainHead', in_channels=192, num_points=16),
    mask_ratio=0.8)

# The decoder reads no scale finer than its last: with several processes, the norms of finer scales have no gradient.
find_unused_parameters = True
