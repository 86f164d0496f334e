# Composed rooms (tools/create_rooms.py) for detection: ScanNet's layout and pipeline, 8,192 points a room.
_base_ = './scannet_det.py'

num_points = 8192
train_pipeline = _base_.train_pipeline
train_pipeline[4].num_points = num_points
test_pipeline = _base_.test_pipeline
test_pipeline[3].num_points = num_points
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader
