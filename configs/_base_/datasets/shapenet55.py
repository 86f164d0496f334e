# ShapeNet55 for pre-training: 2,048 of 8,192 points in the unit sphere (section 4.1).
data_root = 'data/ShapeNet55-34/'
train_pipeline = [
    dict(type='M2AESamplePoints', num_points=2048),
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape'),
]
test_pipeline = [
    dict(type='M2AESamplePoints', num_points=2048, random=False),
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(type='M2AEShapeNet55', data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(type='M2AEShapeNet55', data_root=data_root, split='test', pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEReconstructionMetric')
test_evaluator = val_evaluator
