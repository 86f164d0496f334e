# ModelNet40: shapes of 8,192 points in the unit sphere; 1,024 of them are chosen on the device.
data_root = 'data/ModelNet/modelnet40_normal_resampled/'
pipeline = [
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape'),
]
# Where the published pickle cache is not at hand, the text files are parsed once into this folder.
dataset = dict(
    type='M2AEModelNet40', data_root=data_root, num_points=8192, cache_dir='data/cache', pipeline=pipeline)
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='train', **dataset))
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='test', test_mode=True, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEAccuracy')
test_evaluator = val_evaluator
