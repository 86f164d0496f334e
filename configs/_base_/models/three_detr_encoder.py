# The encoder of 3DETR (Misra, Girdhar, Joulin, ICCV 2021).
three_detr_encoder = dict(
    type='ThreeDETREncoder',
    in_channels=3,  # x, y, z; more with colour or height, see use_dim and shift_height of the pipelines
    num_points=2048,
    radius=0.2,
    num_samples=64,
    mlp_channels=(64, 128),
    embed_dims=256,
    num_layers=3,
    num_heads=4,
    feedforward_channels=128,
    dropout=0.1)
# What the masked encoder of 3DETR-m has besides. The radii are what the published code and weights mean, in metres: it
# compares distances with the squares of the paper's radii. For the paper's wording set (0.4, 0.8, 1.2).
masking_radii = (0.16, 0.64, 1.44)
interim = dict(num_points=1024, radius=0.4, num_samples=32, mlp_channels=(256, 256))
