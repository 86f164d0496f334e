# Your own shapes: .npy .npz .txt .xyz .ply .pcd .off .obj .stl files, in one folder a class or all in one folder.
# Folders train/ and test/ (or val/) are the splits; without them a fifth of the files, by their names, is for testing.
# With all three, val/ is read where split='val' is set, e.g. by --cfg-options val_dataloader.dataset.split=val.
data_root = 'data/shapes/'
train_pipeline = [
    dict(type='M2AESamplePoints', num_points=2048),
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape'),
]
test_pipeline = [
    dict(type='M2AESamplePoints', num_points=2048, seed=0),
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape'),
]
# Read once into this folder, and again when files change.
dataset = dict(type='M2AEFolder', data_root=data_root, cache_dir='data/cache')
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset))
test_dataloader = val_dataloader
