# Your own labelled rooms: the detector that comes with the package, trained on for your classes. Prepare them with
#   m2ae data boxes --scans SCANS --labels LABELS --out data/mine
# and see docs/own_rooms.md. What is None here is taken from the prepared data, in a test from the checkpoint.
_base_ = '../vdetr/vdetr-m2ae_rooms.py'

class_names = None
metainfo = dict(classes=None)
model = dict(bbox_head=dict(num_classes=None, num_angle_bins=None, anchor_sizes=None))
dataset = dict(type='M2AESceneDataset', data_root='data/mine/', metainfo=metainfo)
train_dataloader = dict(batch_size=4, dataset=dict(ann_file='infos_train.pkl', **dataset))
val_dataloader = dict(batch_size=4, dataset=dict(ann_file='infos_val.pkl', **dataset))
test_dataloader = val_dataloader

load_from = 'rooms_det'
epochs = 40  # ours, a guess: docs/own_rooms.md
# A third of the rate that the detector was trained with, ours.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
auto_scale_lr = dict(base_batch_size=4)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=epochs)]
train_cfg = dict(max_epochs=epochs, val_interval=10)
