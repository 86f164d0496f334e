# V-DETR's decoder on Point-M2AE's hierarchical encoder: 1,024 queries of 2,048 tokens.
_base_ = './vdetr.py'

encoder_dims = [96, 192, 384]
model = dict(
    backbone=dict(
        _delete_=True,
        type='PointM2AEEncoder',
        num_centers=[2048, 1024, 256],  # as in ../../m2ae/scannet_pretrain.py
        num_neighbors=[32, 8, 8],
        embed_dims=encoder_dims,
        depths=[5, 5, 5],
        radii=[0.4, 0.8, 1.2],  # metres, as in ../../m2ae/scannet_det.py
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    # Down to the finest scale; with out_channels=[256] the decoder has 1,024 tokens, of which it should select fewer.
    neck=dict(type='PointM2AEPropagation', encoder_dims=encoder_dims, out_channels=[256, 256]))
