# Table 10: mean over the tokens; modelnet40_cls.py adds maximum and mean.
_base_ = '../modelnet40_cls.py'
model = dict(head=dict(pooling='mean'))
