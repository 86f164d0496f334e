# Table 12: 4 blocks in each encoder stage, 1 in each decoder stage (default 5 and 1).
_base_ = '../shapenet_pretrain.py'
model = dict(backbone=dict(depths=[4, 4, 4]), neck=dict(depths=[1, 1]))
