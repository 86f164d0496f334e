# Semantic segmentation: the encoder, propagation down to every point, and a head of one hidden layer.
encoder_dims = [96, 192, 384]
model = dict(
    type='M2AESceneSegmentor',
    data_preprocessor=dict(type='Det3DDataPreprocessor'),
    backbone=dict(
        type='PointM2AEEncoder',
        in_channels=3,
        embed_dims=encoder_dims,
        depths=[5, 5, 5],
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    neck=dict(type='PointM2AEPropagation', encoder_dims=encoder_dims, out_channels=[256, 256, 128], point_channels=3),
    decode_head=dict(
        type='M2AESegHead',
        in_channels=128,
        channels=128,
        num_classes=20,
        ignore_index=20,
        dropout_ratio=0.5,  # mmdet3d's and the part head's
        loss_decode=dict(
            type='mmdet.CrossEntropyLoss', use_sigmoid=False, class_weight=None, avg_non_ignore=True,
            loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='slide'))
