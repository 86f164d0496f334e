# mmdet3d's 3DSSD head on the coarsest tokens of Point-M2AE's encoder, on ScanNetV2. mmdet3d itself has 3DSSD for
# street scenes only: its model is the base here, data and schedule are those of its indoor detectors.
_base_ = [
    'mmdet3d::_base_/models/3dssd.py', 'mmdet3d::_base_/datasets/scannet-3d.py',
    'mmdet3d::_base_/schedules/schedule-3x.py', 'mmdet3d::_base_/default_runtime.py'
]
custom_imports = dict(imports=['m2ae_mm'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='PointM2AEEncoder',
        in_channels=4,  # x, y, z and the height that mmdet3d's indoor pipeline adds
        num_centers=[2048, 1024, 256],  # sizes as in configs/m2ae/scannet_det.py
        num_neighbors=[32, 8, 8],
        embed_dims=[96, 192, 384],
        depths=[5, 5, 5],
        radii=[0.4, 0.8, 1.2],
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    # No neck: 3DSSD votes from the first 128 of the 256 coarsest tokens. It wants fewer votes than tokens.
    bbox_head=dict(
        num_classes=18,
        bbox_coder=dict(type='AnchorFreeBBoxCoder', num_dir_bins=1, with_rot=False),
        vote_module_cfg=dict(in_channels=384, num_points=128, vote_xyz_range=(1.5, 1.5, 1.0)),
        # Radii and the reach of votes for rooms, where the base has 4.8 and 6.4 m and 3 x 3 x 2 m. Ours, not tuned.
        vote_aggregation_cfg=dict(
            num_point=128,
            radii=(0.6, 1.2), mlp_channels=((384, 256, 256, 512), (384, 256, 512, 1024)))),
    test_cfg=dict(nms_cfg=dict(iou_thr=0.25), score_thr=0.05))  # as mmdet3d's indoor detectors

# As in votenet_m2ae.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))

val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
visualizer = dict(type='M2AELocalVisualizer')  # mmdet3d's own opens a window
# For several processes: the norms of scales 1 and 2, which the head does not read, get no gradient.
find_unused_parameters = True
