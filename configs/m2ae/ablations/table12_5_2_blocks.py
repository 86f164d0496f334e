# Table 12: 5 blocks in each encoder stage, 2 in each decoder stage (default 5 and 1).
_base_ = '../shapenet_pretrain.py'
model = dict(backbone=dict(depths=[5, 5, 5]), neck=dict(depths=[2, 2]))
