# Table 7: encoder without hierarchy, linear SVM 91.5 (full model 92.9). 15 blocks at the coarsest scale; finer scales
# are merged without attention.
_base_ = '../shapenet_pretrain.py'
model = dict(backbone=dict(depths=[0, 0, 15]))
