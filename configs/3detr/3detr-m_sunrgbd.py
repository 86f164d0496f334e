# 3DETR-m on SUN RGB-D. Published: 59.1 AP25, 30.3 AP50. What differs from 3detr_sunrgbd.py is
# the masked encoder, here with the vanilla dropout, and the weight of the class loss.
_base_ = './3detr_sunrgbd.py'

model = dict(
    backbone=dict(masking_radii=_base_.masking_radii, interim=_base_.interim),
    bbox_head=dict(projection_channels=(256, )),
    train_cfg=dict(loss_weights=dict(loss_sem_cls=0.8)))
