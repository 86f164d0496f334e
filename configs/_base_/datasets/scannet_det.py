# ScanNetV2 for detection: mmdet3d's data set with 3DETR's pipeline, xyz only.
#
# Other place for the data? One option per loader that is used:
#   --cfg-options train_dataloader.dataset.data_root=/path/to/scannet/ \
#                 val_dataloader.dataset.data_root=/path/to/scannet/
# (and test_dataloader.dataset.data_root for tools/test.py). Setting the variable data_root on the command line has no
# effect: the data sets below have read it by then.
_base_ = 'mmdet3d::_base_/datasets/scannet-3d.py'

data_root = 'data/scannet/'
metainfo = _base_.metainfo
class_names = metainfo['classes']  # mmdet3d's init_model asks for them where a checkpoint holds weights only

# The scans are stored in the scanner's frame, the boxes in the aligned one.
load_points = [
    dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='GlobalAlignment', rotation_axis=2),
    # Metres per unit of the files, and the axis that points up in them.
    dict(type='M2AESceneFrame', unit_scale=1., up_axis='z'),
]
load_scene = [
    load_points[0], dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True), *load_points[1:]
]
# Drawn from the whole scan: a copy capped at 50,000 points beforehand costs several points of AP.
draw_points = dict(type='PointSample', num_points=40000)
# Of a scene always the same points: figures do not depend on seed, workers or processes.
draw_same_points = dict(type='M2AESamplePoints', num_points=40000, seed=0)
augment = [
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    # +-5 degrees, no scaling.
    dict(type='GlobalRotScaleTrans', rot_range=[-0.087266, 0.087266], scale_ratio_range=[1.0, 1.0]),
]
pack_scene = dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d'])
pack_points = dict(type='Pack3DDetInputs', keys=['points'])
train_pipeline = [*load_scene, draw_points, *augment, pack_scene]
test_pipeline = [*load_points, draw_same_points, pack_points]

# An epoch is one pass over the scans: mmdet3d's RepeatDataset goes.
train_dataloader = dict(
    batch_size=8,
    persistent_workers=True,
    dataset=dict(
        _delete_=True,
        type='ScanNetDataset',
        data_root=data_root,
        ann_file='scannet_infos_train.pkl',
        pipeline=train_pipeline,
        metainfo=metainfo,
        filter_empty_gt=False,
        box_type_3d='Depth'))
val_dataloader = dict(
    batch_size=8, num_workers=4, persistent_workers=True, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
# mmdet3d's own visualizer opens a window.
visualizer = dict(type='M2AELocalVisualizer')
