# V-DETR's decoder on Point-M2AE's hierarchical encoder: 1,024 queries of 2,048 tokens.
_base_ = ['./vdetr.py', './scene_encoder.py']

model = dict(
    backbone=dict(_delete_=True, **_base_.finetuned_scene_encoder),
    # Down to the finest scale; with out_channels=[256] the decoder has 1,024 tokens, of which it should select fewer.
    neck=dict(type='PointM2AEPropagation', encoder_dims=_base_.encoder_dims, out_channels=[256, 256]))
