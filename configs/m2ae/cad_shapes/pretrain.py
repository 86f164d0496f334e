# Pre-train on the CAD shapes; everything but the data is as on ShapeNet55.
_base_ = [
    '../../_base_/models/point_m2ae.py', '../../_base_/datasets/cad_shapes.py',
    '../../_base_/schedules/m2ae_pretrain.py', '../../_base_/default_runtime.py'
]

model = dict(data_preprocessor=dict(train_transforms=[dict(type='M2AEBatchScaleShift')]))
