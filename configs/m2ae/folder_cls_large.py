# Classify a folder of thousands of shapes in the sizes of the paper, everything but the data as on ModelNet40; options
# as for folder_cls.py, pre-training by folder_pretrain_large.py.
_base_ = [
    '../_base_/models/point_m2ae_cls.py', '../_base_/datasets/folder.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

random_points = [dict(type='M2AEBatchSample', num_points=1024, num_candidates=1200), dict(type='M2AEBatchScaleShift')]
model = dict(
    data_preprocessor=dict(
        train_transforms=random_points,
        test_transforms=[dict(type='M2AEBatchSample', num_points=1024)],
        vote_transforms=random_points),
    head=dict(num_classes=40, pooling='max+mean', label_smoothing=0.3))
# BatchNorm cannot take a last batch of one shape. With fewer than 32 shapes, lower train_dataloader.batch_size.
train_dataloader = dict(drop_last=True)
val_evaluator = dict(type='M2AEAccuracy')
test_evaluator = val_evaluator
