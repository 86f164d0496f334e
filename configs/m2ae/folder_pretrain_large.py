# Pre-train on a folder of thousands of shapes, in the sizes of the paper; made for a GPU. Smaller: folder_pretrain.py.
# m2ae train m2ae_mm::m2ae/folder_pretrain_large.py --data MY_SHAPES
_base_ = [
    '../_base_/models/point_m2ae.py', '../_base_/datasets/folder.py', '../_base_/schedules/m2ae_pretrain.py',
    '../_base_/default_runtime.py'
]

model = dict(data_preprocessor=dict(train_transforms=[dict(type='M2AEBatchScaleShift')]))
train_dataloader = dict(batch_size=128)
val_evaluator = dict(type='M2AEReconstructionMetric')
test_evaluator = val_evaluator
