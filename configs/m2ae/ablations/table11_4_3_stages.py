# Table 11: 4 encoder and 3 decoder stages. The paper gives no sizes; these are the default scales and a finer one.
_base_ = '../shapenet_pretrain.py'
encoder_dims = [48, 96, 192, 384]
model = dict(
    backbone=dict(
        num_centers=[1024, 512, 256, 64], num_neighbors=[16, 8, 8, 8], embed_dims=encoder_dims, depths=[5, 5, 5, 5]),
    neck=dict(encoder_dims=encoder_dims, embed_dims=[384, 192, 96], depths=[1, 1, 1]),
    head=dict(in_channels=96))
