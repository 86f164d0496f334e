# Classification on ScanObjectNN OBJ-ONLY as I2P-MAE does it: 91.57 % (the paper).
_base_ = './scanobjectnn_objbg_cls.py'

train_dataloader = dict(dataset=dict(variant='objonly'))
val_dataloader = dict(dataset=dict(variant='objonly'))
test_dataloader = val_dataloader
