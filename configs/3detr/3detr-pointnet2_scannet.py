# 3DETR's decoder on mmdet3d's own PointNet++ backbone, as VoteNet has it: 1,024 tokens of width 256. Not in the
# paper; recipe of 3DETR.
_base_ = './3detr_scannet.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='PointNet2SASSG',
        in_channels=3,
        num_points=(2048, 1024, 512, 256),
        radius=(0.2, 0.4, 0.8, 1.2),
        num_samples=(64, 32, 16, 16),
        sa_channels=((64, 64, 128), (128, 128, 256), (128, 128, 256), (128, 128, 256)),
        fp_channels=((256, 256), (256, 256)),
        norm_cfg=dict(type='BN2d'),
        sa_cfg=dict(type='PointSAModule', pool_mod='max', use_xyz=True, normalize_xyz=True)))
