# Classification on ModelNet40 as I2P-MAE does it: 93.67 %, 94.06 % with voting (the paper).
# tools/train.py configs/i2p_mae/modelnet40_cls.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
_base_ = '../m2ae/modelnet40_cls.py'

# What differs from Point-M2AE, from the published code. None of it shows in a checkpoint.
model = dict(
    backbone=dict(num_neighbors=[48, 24, 24], radii=[0.24, 0.48, 0.96]),
    head=dict(label_smoothing=0.2))  # off-class targets are 0.2 / 39
