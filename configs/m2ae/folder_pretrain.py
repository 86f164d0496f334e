# Pre-train on a folder of your own shapes, dozens to some thousands, in sizes for CPUs:
# m2ae train m2ae_mm::m2ae/folder_pretrain.py --data MY_SHAPES
# --pretrained shapes_small goes on from the encoder and decoder that come with the package. --epochs N trains longer or
# shorter. More shapes and a GPU: folder_pretrain_large.py.
_base_ = ['./folder_pretrain_large.py', '../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, neck=_base_.small_decoder, head=dict(in_channels=96))
points, first_points = (dict(type='M2AESamplePoints', num_points=1024, **options) for options in ({}, dict(seed=0)))
others = [dict(type='M2AENormalizeUnitSphere'), dict(type='M2AEPackShape')]
train_dataloader = dict(batch_size=32, num_workers=2, dataset=dict(pipeline=[points, *others]))
val_dataloader = dict(num_workers=2, dataset=dict(pipeline=[first_points, *others]))
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=5e-4))  # 1e-3 for batches of 128, scaled by the square root
auto_scale_lr = dict(base_batch_size=32)
