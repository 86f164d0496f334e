# Classification on ScanObjectNN, OBJ-ONLY: 88.81 % (table 3).
_base_ = './scanobjectnn_objbg_cls.py'

train_dataloader = dict(dataset=dict(variant='objonly'))
val_dataloader = dict(dataset=dict(variant='objonly'))
test_dataloader = val_dataloader
