# pretrain.py with the linear SVM of svm.py before the training and every second epoch:
# tools/train.py configs/m2ae/free_shapes/pretrain_probe.py
# tools/plot.py curves pre-training=work_dirs/pretrain_probe --metric linear_probe/accuracy --out probe.png
_base_ = './pretrain.py'

custom_hooks = [
    dict(
        type='M2AELinearProbeHook',
        interval=2,
        before_training=True,
        metric=dict(type='M2AELinearProbeMetric', C=1.),
        dataloader=dict(
            batch_size=32,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='m2ae_collate'),
            dataset=dict(
                type='M2AEFreeShapes',
                labelled_only=True,
                split=['train', 'test'],
                pipeline=[dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')],
                test_mode=True)))
]
