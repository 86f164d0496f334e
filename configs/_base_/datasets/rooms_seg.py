# Composed rooms (tools/create_rooms.py) for semantic segmentation: whole rooms, x y z, ScanNet's 20 classes.
data_root = 'data/rooms/'
class_names = ('wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture',
               'counter', 'desk', 'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub',
               'otherfurniture')
metainfo = dict(classes=class_names)

load_points = [
    dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='LoadAnnotations3D', with_bbox_3d=False, with_label_3d=False, with_mask_3d=False, with_seg_3d=True),
    dict(type='M2AEMapLabels'),
    # Metres per unit of the files, and the axis that points up in them.
    dict(type='M2AESceneFrame', unit_scale=1., up_axis='z'),
    dict(type='M2AECenterScene'),
]
# Flips and rotation as in scannet_det.py; the scaling is ours.
train_pipeline = load_points + [
    dict(type='PointSample', num_points=8192),
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.087266, 0.087266], scale_ratio_range=[0.9, 1.1]),
    dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]
# All points: the segmentor draws those that the encoder sees.
test_pipeline = load_points + [dict(type='Pack3DDetInputs', keys=['points', 'pts_semantic_mask'])]

dataset = dict(
    type='M2AESceneSegDataset',
    data_root=data_root,
    data_prefix=dict(pts='points', pts_instance_mask='instance_mask', pts_semantic_mask='semantic_mask'),
    metainfo=metainfo)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='scannet_infos_train.pkl', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='scannet_infos_val.pkl', pipeline=test_pipeline, test_mode=True, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AESegMetric')
test_evaluator = val_evaluator
visualizer = dict(type='M2AELocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
