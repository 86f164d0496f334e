# Steps that load a scene with colours and the labels of its points, for scannet_seg.py and s3dis_seg.py.
load_points = [
    dict(
        type='LoadPointsFromFile', coord_type='DEPTH', shift_height=False, use_color=True, load_dim=6,
        use_dim=[0, 1, 2, 3, 4, 5]),
    dict(type='LoadAnnotations3D', with_bbox_3d=False, with_label_3d=False, with_mask_3d=False, with_seg_3d=True),
    # In the test, too, where mmdet3d 1.4 compares predictions with NYU40 ids.
    dict(type='M2AEMapLabels'),
    # Metres per unit of the files, and the axis that points up in them.
    dict(type='M2AESceneFrame', unit_scale=1., up_axis='z'),
]
