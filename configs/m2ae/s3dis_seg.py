# Semantic segmentation on S3DIS, 13 classes, in blocks; trained on areas 1, 2, 3, 4 and 6, tested on 5.
_base_ = [
    '../_base_/models/scene_seg.py', '../_base_/datasets/s3dis_seg.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(
        in_channels=9,  # x y z, r g b, place in the room
        # Ours: as many centres in a block as mmdet3d's PointNet++ has, and radii that grow with their distance.
        num_centers=[1024, 256, 64],
        num_neighbors=[32, 8, 8],
        radii=[0.2, 0.4, 0.8]),
    neck=dict(point_channels=9),
    decode_head=dict(num_classes=13, ignore_index=13),
    # mmdet3d's blocks.
    test_cfg=dict(num_points=4096, block_size=1.0, sample_rate=0.5, use_normalized_coord=True, batch_size=24))

epochs = 50  # mmdet3d's PointNet++
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 2
param_scheduler[1].end = epochs
train_cfg = dict(max_epochs=epochs, val_interval=5)
auto_scale_lr = dict(base_batch_size=16)
