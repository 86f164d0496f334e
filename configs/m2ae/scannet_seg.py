# Semantic segmentation on ScanNetV2, 20 classes, in blocks. Start from pre-trained weights with
#   --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
_base_ = [
    '../_base_/models/scene_seg.py', '../_base_/datasets/scannet_seg.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(
        in_channels=6,  # x y z r g b
        # Ours: as many centres in a block as mmdet3d's PointNet++ has, and radii that grow with their distance.
        num_centers=[1024, 256, 64],
        num_neighbors=[32, 8, 8],
        radii=[0.2, 0.4, 0.8]),
    neck=dict(point_channels=6),
    # mmdet3d's blocks.
    test_cfg=dict(num_points=8192, block_size=1.5, sample_rate=0.5, use_normalized_coord=False, batch_size=24))

epochs = 200  # mmdet3d's PointNet++
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = epochs
train_cfg = dict(max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=16)
