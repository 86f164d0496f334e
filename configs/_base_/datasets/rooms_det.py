# Composed rooms (tools/create_rooms.py) for detection: ScanNet's layout and pipeline, 8,192 points a room. Without
# 3DETR's crops, which keep 30,000 points: rooms have 20,000.
_base_ = './scannet_det.py'

draw_points = dict(type='PointSample', num_points=8192)
draw_same_points = dict(type='M2AESamplePoints', num_points=8192, seed=0)
train_pipeline = [*_base_.load_scene, draw_points, *_base_.augment, _base_.pack_scene]
test_pipeline = [*_base_.load_points, draw_same_points, _base_.pack_points]
train_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root='data/rooms/', pipeline=test_pipeline))
test_dataloader = val_dataloader
