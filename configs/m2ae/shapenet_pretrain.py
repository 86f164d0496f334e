# Point-M2AE pre-trained on ShapeNet55 (section 4.1). Go on with modelnet40_svm.py, modelnet40_cls.py, ...
_base_ = [
    '../_base_/models/point_m2ae.py', '../_base_/datasets/shapenet55.py', '../_base_/schedules/m2ae_pretrain.py',
    '../_base_/default_runtime.py'
]

# Random scale in [2/3, 3/2] and shift of +-0.2 per axis, on the device.
model = dict(data_preprocessor=dict(train_transforms=[dict(type='M2AEBatchScaleShift')]))
