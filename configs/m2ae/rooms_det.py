# The demo's encoder under 3DETR's decoder: composed rooms, sizes for two CPU cores. Not a setting of the paper.
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/models/rooms_sizes.py', '../_base_/datasets/rooms_det.py',
    '../_base_/schedules/rooms_m2ae.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(_delete_=True, **_base_.finetuned_rooms_encoder),
    neck=_base_.rooms_neck,
    bbox_head=_base_.rooms_three_detr_head)
# The norm of the finest stage feeds nothing here.
find_unused_parameters = True
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
