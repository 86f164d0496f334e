# 3DETR's training cut short for composed rooms and two CPU cores, ours.
_base_ = './three_detr.py'

epochs = 22
optim_wrapper = dict(optimizer=dict(lr=1.5e-3), clip_grad=dict(max_norm=1.))
warm_up = dict(_base_.warm_up, start_factor=0.01, end=1)
cosine = dict(_base_.cosine, eta_min=1e-5, begin=1, end=epochs)
param_scheduler = [warm_up, cosine]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
