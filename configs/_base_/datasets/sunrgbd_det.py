# SUN RGB-D (v1) for detection: mmdet3d's data set with 3DETR's pipeline, xyz only. To point to other places see
# scannet_det.py.
_base_ = 'mmdet3d::_base_/datasets/sunrgbd-3d.py'

data_root = 'data/sunrgbd/'
metainfo = _base_.metainfo
class_names = metainfo['classes']  # mmdet3d's init_model asks for them where a checkpoint holds weights only
modality = dict(use_camera=False, use_lidar=True)

load_points = [
    dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, load_dim=6, use_dim=[0, 1, 2]),
    # Metres per unit of the files, and the axis that points up in them.
    dict(type='M2AESceneFrame', unit_scale=1., up_axis='z'),
]
train_pipeline = [
    load_points[0],
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    load_points[1],
    # Flips of x, +-30 degrees, scale 0.85 to 1.15.
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.523599, 0.523599], scale_ratio_range=[0.85, 1.15]),
    # The crops of the published code; they keep at least 30,000 points of the whole frame.
    dict(type='ThreeDETRRandomCuboid', min_points=30000, aspect=0.75, min_crop=0.75, max_crop=1.0),
    dict(type='PointSample', num_points=20000),
    dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
]
test_pipeline = load_points + [
    # Of a scene always the same points: figures do not depend on seed, workers or processes.
    dict(type='M2AESamplePoints', num_points=20000, seed=0),
    dict(type='Pack3DDetInputs', keys=['points']),
]

# An epoch is one pass over the frames: mmdet3d's RepeatDataset goes.
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        _delete_=True,
        type='SUNRGBDDataset',
        data_root=data_root,
        ann_file='sunrgbd_infos_train.pkl',
        pipeline=train_pipeline,
        metainfo=metainfo,
        modality=modality,
        filter_empty_gt=False,
        box_type_3d='Depth'))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(data_root=data_root, pipeline=test_pipeline, modality=modality))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
# mmdet3d's own visualizer opens a window.
visualizer = dict(type='M2AELocalVisualizer')
