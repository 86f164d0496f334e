# Sizes for CPUs and small data sets: those of the weights 'shapes_small', which come with the package. Against the
# paper's a quarter of the tokens, half the width and a quarter of the depth.
small_encoder = dict(
    num_centers=[128, 64, 32],
    embed_dims=[48, 96, 256],
    depths=[1, 1, 2],
    num_heads=4,
    point_hidden=[32, 64, 128],
    drop_path_rate=0.)
small_decoder = dict(encoder_dims=[48, 96, 256], embed_dims=[256, 96], num_heads=4, drop_path_rate=0.)
