# Pre-training on the CAD shapes with the linear SVM of svm_kicad.py every 10 epochs.
_base_ = './pretrain.py'

custom_hooks = [
    dict(
        type='M2AELinearProbeHook',
        interval=10,
        metric=dict(type='M2AELinearProbeMetric', C=1.),
        dataloader=dict(
            batch_size=32,
            num_workers=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='m2ae_collate'),
            dataset=dict(
                type='M2AEShapesNpz',
                data_root='data/cad_shapes/',
                files=['kicad.npz'],
                labelled_only=True,
                split=['train', 'test'],
                pipeline=[dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')],
                test_mode=True)))
]
