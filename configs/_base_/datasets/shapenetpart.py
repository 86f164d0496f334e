# ShapeNetPart: 2,048 points of a shape in the unit sphere; trained on train and val (14,007 shapes).
data_root = 'data/shapenetcore_partanno_segmentation_benchmark_v0_normal/'
train_pipeline = [
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AESamplePoints', num_points=2048),
    dict(type='M2AEPackShape'),
]
test_pipeline = [
    dict(type='M2AENormalizeUnitSphere'),
    # The points of a file are in no random order; the same random subset every time.
    dict(type='M2AESamplePoints', num_points=2048, seed=0),
    dict(type='M2AEPackShape'),
]
# The text files are parsed once into this folder.
dataset = dict(type='M2AEShapeNetPart', data_root=data_root, cache_dir='data/cache')
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split=['train', 'val'], pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEPartIoU')
test_evaluator = val_evaluator
