# Table 10: a class token in front of the coarsest scale.
_base_ = '../modelnet40_cls.py'
model = dict(backbone=dict(type='PointM2AEClassTokenEncoder'), head=dict(pooling='class_token'))
