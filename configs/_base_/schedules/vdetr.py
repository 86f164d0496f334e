# V-DETR's training as published: AdamW, 540 epochs of batch 8 (8 processes with a scene each, batch norms
# synchronised). Weight decay holds for all parameters, biases and norms included.
optim_wrapper = dict(
    type='M2AEOptimWrapper',
    optimizer=dict(type='AdamW', lr=7e-4, weight_decay=0.1, fused=True),
    clip_grad=dict(max_norm=0.1, norm_type=2))

# 9 epochs of warm-up from 1e-6, then a cosine down to 1e-6 that counts from the first epoch; both are stepped every
# iteration.
warm_up = dict(type='LinearLR', start_factor=1e-6 / 7e-4, by_epoch=True, begin=0, end=9, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=0, end=540, convert_to_iter_based=True)
param_scheduler = [warm_up, cosine]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=540, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# With other batch sizes pass --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=8)
# Used by several processes; one counts its own rows anyway.
sync_bn = 'torch'
