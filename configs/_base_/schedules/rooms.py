# A short training for two CPU cores, ours: one epoch of warm-up, then a cosine.
epochs = 5
optim_wrapper = dict(
    type='M2AEOptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1, fused=True),
    clip_grad=dict(max_norm=1.))
warm_up = dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=1, end=epochs, convert_to_iter_based=True)
param_scheduler = [warm_up, cosine]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=4)
