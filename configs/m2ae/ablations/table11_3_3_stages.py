# Table 11: 3 encoder and 3 decoder stages: the finest scale is reconstructed, 16 points against 16.
_base_ = '../shapenet_pretrain.py'
find_unused_parameters = False  # the decoder reads every scale
model = dict(neck=dict(embed_dims=[384, 192, 96], depths=[1, 1, 1]), head=dict(in_channels=96))
