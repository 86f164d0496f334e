# Table 10: maximum over the tokens; modelnet40_cls.py adds maximum and mean.
_base_ = '../modelnet40_cls.py'
model = dict(head=dict(pooling='max'))
