# 3DETR on SUN RGB-D: rotated boxes. Published: 58.0 AP25, 30.3 AP50. What differs from ScanNet is taken from the
# published script.
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/datasets/sunrgbd_det.py', '../_base_/schedules/three_detr.py',
    '../_base_/default_runtime.py'
]

model = dict(
    bbox_head=dict(num_classes=10, num_queries=128, num_angle_bins=12),
    train_cfg=dict(
        matcher=dict(cost_class=1., cost_giou=3., cost_center=5., cost_objectness=5.),
        loss_weights=dict(loss_giou=0.),
        no_object_weight=0.1))
optim_wrapper = dict(optimizer=dict(lr=7e-4))
param_scheduler = [dict(_base_.warm_up, start_factor=1e-6 / 7e-4), _base_.cosine]
