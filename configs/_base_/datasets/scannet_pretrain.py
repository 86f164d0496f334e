# ScanNetV2 scenes without labels, for pre-training. Aligned points, in metres.
data_root = 'data/scannet/'
metainfo = dict(
    classes=('cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter', 'desk',
             'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub', 'garbagebin'))

load_points = [
    dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='GlobalAlignment', rotation_axis=2),
    # Metres per unit of the files, and the axis that points up in them.
    dict(type='M2AESceneFrame', unit_scale=1., up_axis='z'),
]
# Flips and rotation of +-5 degrees as in 3DETR's training (section "Training" of its appendix).
augment = [
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.087266, 0.087266], scale_ratio_range=[1.0, 1.0]),
]
draw_points = dict(type='PointSample', num_points=40000)
# Of a scene always the same points: figures do not depend on seed, workers or processes.
draw_same_points = dict(type='M2AESamplePoints', num_points=40000, seed=0)
pack_points = dict(type='Pack3DDetInputs', keys=['points'])
train_pipeline = [*load_points, draw_points, *augment, pack_points]
test_pipeline = [*load_points, draw_same_points, pack_points]

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
    batch_size=1,
    num_workers=2,
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
val_evaluator = dict(type='M2AEReconstructionMetric')
test_evaluator = val_evaluator
visualizer = dict(type='M2AELocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
