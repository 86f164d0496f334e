# 3DETR-m on composed rooms, sizes for two CPU cores. Not a setting of the paper.
_base_ = [
    '../_base_/models/three_detr_masked.py', '../_base_/models/rooms_sizes.py', '../_base_/datasets/rooms_det.py',
    '../_base_/schedules/rooms.py', '../_base_/default_runtime.py'
]

model = dict(backbone=_base_.rooms_three_detr_encoder, bbox_head=_base_.rooms_three_detr_head)
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
