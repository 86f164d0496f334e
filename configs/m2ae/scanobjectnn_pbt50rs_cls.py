# Classification on ScanObjectNN, PB-T50-RS: 86.43 % (table 3).
_base_ = './scanobjectnn_objbg_cls.py'

train_dataloader = dict(dataset=dict(variant='pbt50rs'))
val_dataloader = dict(dataset=dict(variant='pbt50rs'))
test_dataloader = val_dataloader
