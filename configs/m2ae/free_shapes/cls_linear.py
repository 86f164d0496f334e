# cls.py by a linear probe: the encoder stays as it is, one linear layer learns. As --tuning linear does it.
# tools/train.py configs/m2ae/free_shapes/cls_linear.py --pretrained shapes_small
_base_ = './cls.py'

model = dict(backbone=dict(frozen=True), head=dict(linear=True))
# A linear layer neither overfits nor diverges: MAE's probes train without weight decay, too, at a high rate.
optim_wrapper = dict(optimizer=dict(lr=5e-3, weight_decay=0.))
