# cad_shapes: 3,769 freely licensed CAD models of 2,048 points in three packs (ldraw, kicad, sweethome3d).
data_root = 'data/cad_shapes/'
files = ['ldraw.npz', 'kicad.npz', 'sweethome3d.npz']
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    # The files are normalised and in random order already.
    dataset=dict(
        type='M2AEShapesNpz', data_root=data_root, files=files, split='train', pipeline=[dict(type='M2AEPackShape')]))
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(
        type='M2AEShapesNpz', data_root=data_root, files=files, split='test', pipeline=[dict(type='M2AEPackShape')],
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='M2AEReconstructionMetric')
test_evaluator = val_evaluator
