# Table 11: 2 encoder and 1 decoder stages. The paper gives no sizes; these are the two coarser default scales.
_base_ = '../shapenet_pretrain.py'
model = dict(
    backbone=dict(num_centers=[256, 64], num_neighbors=[16, 8], embed_dims=[192, 384], depths=[5, 5]),
    neck=dict(encoder_dims=[192, 384], embed_dims=[384], depths=[1]),
    head=dict(in_channels=384))
