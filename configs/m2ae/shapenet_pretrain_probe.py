# Pre-training on ShapeNet55 with a linear SVM on ModelNet40 every 10 epochs. The figure is for watching: the last
# epoch is what goes on, not the best.
_base_ = './shapenet_pretrain.py'

custom_hooks = [
    dict(
        type='M2AELinearProbeHook',
        interval=10,
        before_training=True,
        metric=dict(type='M2AELinearProbeMetric', C=0.01),  # published code
        dataloader=dict(
            batch_size=32,
            num_workers=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='m2ae_collate'),
            dataset=dict(
                type='M2AEModelNet40H5',
                data_root='data/ModelNet/modelnet40_ply_hdf5_2048/',
                split=['train', 'test'],
                pipeline=[dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')],
                test_mode=True)))
]
