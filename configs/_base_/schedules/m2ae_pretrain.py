# Pre-training on shapes: batch 128, 300 epochs (section 4.1).
optim_wrapper = dict(
    type='M2AEOptimWrapper',
    # Learning rate 1e-3 is the published code's; the paper says 1e-4.
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    # No decay on biases, norms and whatever the published code has "token" in the name of: the mask token, token
    # embedding and merging, token propagation.
    constructor='M2AEOptimWrapperConstructor',
    paramwise_cfg=dict(
        norm_decay_mult=0., bias_decay_mult=0., no_decay=['mask_token', 'backbone.embeddings', 'neck.propagations']))
# 10 warm-up epochs from 1e-6.
warm_up = dict(type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, end=10, convert_to_iter_based=True)
# To 1e-6. The published code's cosine spans 400 epochs, of which 300 are trained. It counts the warm-up, too, and
# so is a little ahead: 1.47e-4 at epoch 300 where this one has 1.55e-4.
cosine = dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=10, end=400, convert_to_iter_based=True)
param_scheduler = [warm_up, cosine]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=128)
