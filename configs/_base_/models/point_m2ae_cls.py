# Classification with the encoder of Point-M2AE (section 4.2). Set model.backbone.init_cfg.checkpoint to a pre-trained
# checkpoint; without one the encoder starts from scratch.
_base_ = './shape_encoder.py'

model = dict(
    type='PointM2AEClassifier',
    data_preprocessor=dict(type='M2AEShapePreprocessor'),
    backbone=dict(stage_norm=False, **_base_.finetuned_shape_encoder),  # the published classifier has no norm
    head=dict(type='PointM2AEClsHead', num_classes=40, in_channels=384, hidden=[256, 256], dropout=0.5))
