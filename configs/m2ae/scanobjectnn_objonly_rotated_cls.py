# Classification on ScanObjectNN OBJ-ONLY with rotational augmentation.
_base_ = './scanobjectnn_objbg_rotated_cls.py'

train_dataloader = dict(dataset=dict(variant='objonly'))
val_dataloader = dict(dataset=dict(variant='objonly'))
test_dataloader = val_dataloader
