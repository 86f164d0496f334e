# scannet_det_crops.py with the rest of V-DETR's augmentation: shifts of +-0.4 m along every axis, then scales of 0.6 to
# 1.4. Scans without boxes are left out of training. As many points as elsewhere here (published: 100,000, which its
# backbone turns into voxels of 1 cm).
_base_ = './scannet_det_crops.py'

augment = [
    *_base_.augment,
    dict(type='M2AERandomShift', max_shift=0.4),
    dict(type='GlobalRotScaleTrans', rot_range=[0., 0.], scale_ratio_range=[0.6, 1.4]),
]
train_pipeline = [*_base_.load_scene, _base_.crop, _base_.draw_points, *augment, _base_.pack_scene]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, filter_empty_gt=True))
