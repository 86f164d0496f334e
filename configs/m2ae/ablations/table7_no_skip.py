# Table 7: no skip connections from encoder to decoder, linear SVM 92.1.
_base_ = '../shapenet_pretrain.py'
model = dict(neck=dict(skip_connections=False))
