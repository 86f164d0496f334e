# Point-M2AE's encoder for rooms in metres. The paper pre-trains the 3DETR-m encoder instead (see
# ../../m2ae/scannet_3detr-m_pretrain.py), so the numbers of centres are ours: 3DETR's 2,048, then the ratios of the
# paper's shapes (1/2, then 1/4, groups of 8), so that masking 80 % of the coarsest leaves about as much visible:
# 58 / 36 / 20 % on a real scan. Widths and depths are the paper's.
encoder_dims = [96, 192, 384]
scene_encoder = dict(
    type='PointM2AEEncoder',
    num_centers=[2048, 1024, 256],
    num_neighbors=[32, 8, 8],
    embed_dims=encoder_dims,
    depths=[5, 5, 5])
# For a detector.
finetuned_scene_encoder = dict(
    radii=[0.4, 0.8, 1.2],  # metres, the radii of 3DETR-m (section 3.4 of 3DETR)
    init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.'),
    **scene_encoder)
