# Point-M2AE's encoder for shapes in the unit sphere: sizes of the paper (section 4.1, appendix A).
encoder_dims = [96, 192, 384]
shape_encoder = dict(
    type='PointM2AEEncoder',
    num_centers=[512, 256, 64],
    num_neighbors=[16, 8, 8],
    embed_dims=encoder_dims,
    depths=[5, 5, 5],
    num_heads=6,
    drop_path_rate=0.1)
# For a task on shapes.
finetuned_shape_encoder = dict(
    radii=[0.32, 0.64, 1.28],  # local attention (section 3.3)
    init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.'),
    **shape_encoder)
