# 3DETR-m: what the masked encoder changes. 7.44 M parameters with 18 classes.
_base_ = './three_detr.py'

model = dict(
    backbone=dict(dropout=0.3, masking_radii=_base_.masking_radii, interim=_base_.interim),
    bbox_head=dict(projection_channels=(256, )))
