# ScanNetV2 for detection: mmdet3d's data set with 3DETR's pipeline, xyz only. It stands by itself: the data set config
# of mmdet3d defines a visualizer, and two bases must not define the same thing.
#
# Other place for the data? One option per loader that is used:
#   --cfg-options train_dataloader.dataset.data_root=/path/to/scannet/ \
#                 val_dataloader.dataset.data_root=/path/to/scannet/
# (and test_dataloader.dataset.data_root for tools/test.py). Setting the variable data_root on the command line has no
# effect: the data sets below have read it by then.
data_root = 'data/scannet/'
metainfo = dict(
    classes=('cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter', 'desk',
             'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub', 'garbagebin'))

# The scans are stored in the scanner's frame, the boxes in the aligned one.
load_points = [
    dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='GlobalAlignment', rotation_axis=2),
]
train_pipeline = [
    load_points[0],
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    load_points[1],
    # Drawn from the whole scan: a copy capped at 50,000 points beforehand costs several points of AP.
    dict(type='PointSample', num_points=40000),
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    # +-5 degrees, no scaling.
    dict(type='GlobalRotScaleTrans', rot_range=[-0.087266, 0.087266], scale_ratio_range=[1.0, 1.0]),
    dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
]
test_pipeline = load_points + [
    dict(type='PointSample', num_points=40000),
    dict(type='Pack3DDetInputs', keys=['points']),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ScanNetDataset',
        data_root=data_root,
        ann_file='scannet_infos_train.pkl',
        pipeline=train_pipeline,
        metainfo=metainfo,
        filter_empty_gt=False,
        box_type_3d='Depth'))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ScanNetDataset',
        data_root=data_root,
        ann_file='scannet_infos_val.pkl',
        pipeline=test_pipeline,
        metainfo=metainfo,
        test_mode=True,
        box_type_3d='Depth'))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
