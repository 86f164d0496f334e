# Classification with the encoder of Point-M2AE (section 4.2). Set model.backbone.init_cfg.checkpoint to a pre-trained
# checkpoint; without one the encoder starts from scratch.
model = dict(
    type='PointM2AEClassifier',
    data_preprocessor=dict(type='M2AEShapePreprocessor'),
    backbone=dict(
        type='PointM2AEEncoder',
        num_centers=[512, 256, 64],
        num_neighbors=[16, 8, 8],
        embed_dims=[96, 192, 384],
        depths=[5, 5, 5],
        num_heads=6,
        radii=[0.32, 0.64, 1.28],  # local attention (section 3.3)
        drop_path_rate=0.1,
        stage_norm=False,  # the published classifier has none
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    head=dict(type='PointM2AEClsHead', num_classes=40, in_channels=384, hidden=[256, 256], dropout=0.5))
