# Table 12: 3 blocks in each encoder stage, 1 in each decoder stage (default 5 and 1).
_base_ = '../shapenet_pretrain.py'
model = dict(backbone=dict(depths=[3, 3, 3]), neck=dict(depths=[1, 1]))
