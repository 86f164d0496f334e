# Pre-training for CPUs, whose encoder comes with the package as 'cad_shapes'. Against pretrain.py: the sizes of
# small_encoder.py, 1,024 of the points, 60 epochs, and batches of 32, which gives four times the steps per epoch.
_base_ = ['./pretrain.py', '../../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, neck=_base_.small_decoder, head=dict(in_channels=96))

points, first_points = (dict(type='M2AESamplePoints', num_points=1024, random=random) for random in (True, False))
pack = dict(type='M2AEPackShape')
train_dataloader = dict(batch_size=32, num_workers=1, dataset=dict(pipeline=[points, pack]))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=[first_points, pack]))
test_dataloader = val_dataloader

epochs = 60
optim_wrapper = dict(optimizer=dict(lr=5e-4))  # 1e-3 for batches of 128, scaled by the square root
warm_up = dict(_base_.warm_up, end=3)
cosine = dict(_base_.cosine, begin=3, end=epochs)
param_scheduler = [warm_up, cosine]
train_cfg = dict(max_epochs=epochs, val_interval=10)
auto_scale_lr = dict(base_batch_size=32)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=-1))  # all are probed for the learning curve
