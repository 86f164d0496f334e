# Classification on ScanObjectNN PB-T50-RS as I2P-MAE does it: 90.11 % (the paper).
_base_ = './scanobjectnn_objbg_cls.py'

model = dict(backbone=dict(radii=[0.48, 0.96, 1.92]))  # published code
train_dataloader = dict(dataset=dict(variant='pbt50rs'))
val_dataloader = dict(dataset=dict(variant='pbt50rs'))
test_dataloader = val_dataloader
