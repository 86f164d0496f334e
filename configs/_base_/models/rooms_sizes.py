# Sizes for composed rooms and two CPU cores, ours. So short trainings underfit: no dropout.
rooms_encoder = dict(
    num_centers=[384, 192, 48],
    num_neighbors=[16, 8, 8],
    embed_dims=[32, 64, 128],
    depths=[1, 1, 1],
    num_heads=4,
    point_hidden=[16, 32, 64])
# For a detector; radii as in scene_encoder.py.
finetuned_rooms_encoder = dict(
    type='PointM2AEEncoder',
    radii=[0.4, 0.8, 1.2],
    drop_path_rate=0.,
    init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.'),
    **rooms_encoder)
rooms_neck = dict(type='PointM2AEPropagation', encoder_dims=[32, 64, 128], out_channels=[128])
rooms_three_detr_encoder = dict(
    num_points=384,
    num_samples=16,
    mlp_channels=(32, 64),
    embed_dims=128,
    dropout=0.,
    interim=dict(num_points=192, radius=0.4, num_samples=8, mlp_channels=(128, 128)))
rooms_three_detr_head = dict(
    in_channels=128,
    projection_channels=(128, ),
    embed_dims=128,
    num_queries=64,
    num_layers=3,
    feedforward_channels=128,
    dropout=0.,
    mlp_dropout=0.)
