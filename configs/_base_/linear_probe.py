# A linear SVM on frozen features during pre-training. A config that inherits from here names the labelled data set:
# custom_hooks = [dict(_base_.linear_probe, dataloader=dict(_base_.probe_loader, dataset=...))]
probe_pipeline = [dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')]
probe_loader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'))
linear_probe = dict(
    type='M2AELinearProbeHook', interval=10, before_training=True, metric=dict(type='M2AELinearProbeMetric', C=1.))
