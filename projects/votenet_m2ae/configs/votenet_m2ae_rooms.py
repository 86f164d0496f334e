# votenet_rooms.py with Point-M2AE's encoder in place of PointNet++; pre-train it with
# configs/m2ae/rooms_pretrain.py and the height as fourth channel, see the README.
_base_ = './votenet_rooms.py'

encoder_dims = [32, 64, 128]
model = dict(
    backbone=dict(  # sizes as in configs/m2ae/rooms_pretrain.py
        _delete_=True,
        type='PointM2AEEncoder',
        in_channels=4,  # x, y, z and the height that mmdet3d's VoteNet adds
        num_centers=[384, 192, 48],
        num_neighbors=[16, 8, 8],
        embed_dims=encoder_dims,
        depths=[1, 1, 1],
        num_heads=4,
        point_hidden=[16, 32, 64],
        radii=[0.4, 0.8, 1.2],
        drop_path_rate=0.,
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    neck=dict(type='PointM2AEPropagation', encoder_dims=encoder_dims, out_channels=[256]))
# For several processes: the norm of scale 1, which the neck does not read, gets no gradient.
find_unused_parameters = True
