# scannet_det_crops.py with the rest of V-DETR's augmentation: shifts of +-0.4 m along every axis, then scales of 0.6 to
# 1.4. Scans without boxes are left out of training. As many points as elsewhere here (published: 100,000, which its
# backbone turns into voxels of 1 cm).
_base_ = './scannet_det_crops.py'

train_pipeline = _base_.train_pipeline
train_pipeline.insert(-1, dict(type='M2AERandomShift', max_shift=0.4))
train_pipeline.insert(-1, dict(type='GlobalRotScaleTrans', rot_range=[0., 0.], scale_ratio_range=[0.6, 1.4]))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, filter_empty_gt=True))
