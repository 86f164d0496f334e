# 3DETR's training as published: AdamW, 1080 epochs of batch 8 on one GPU. Weight decay holds for all parameters,
# biases and norms included.
optim_wrapper = dict(
    type='M2AEOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.1, fused=True),
    clip_grad=dict(max_norm=0.1, norm_type=2))

# 9 epochs of warm-up from 1e-6, then a cosine down to 1e-6, both stepped every iteration.
warm_up = dict(type='LinearLR', start_factor=1e-6 / 5e-4, by_epoch=True, begin=0, end=9, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=9, end=1080, convert_to_iter_based=True)
param_scheduler = [warm_up, cosine]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1080, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Small batches cost many points of AP: with other batch sizes pass --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=8)
