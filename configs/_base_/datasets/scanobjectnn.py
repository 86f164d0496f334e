# ScanObjectNN: all 2,048 points of a shape, in the scale that the files have (published code).
data_root = 'data/ScanObjectNN/'
dataset = dict(type='M2AEScanObjectNN', data_root=data_root, variant='objbg')
pack = dict(type='M2AEPackShape')
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    # All points in random order, so that the first centre is a random one.
    dataset=dict(split='train', pipeline=[dict(type='M2AESamplePoints', num_points=2048), pack], **dataset))
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='test', test_mode=True, pipeline=[pack], **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEAccuracy')
test_evaluator = val_evaluator
