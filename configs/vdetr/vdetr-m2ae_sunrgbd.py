# The detector of vdetr-m2ae_scannet.py on SUN RGB-D: rotated boxes. V-DETR's paper has results there (67.5 AP25 and
# 50.4 AP50 with its own backbone), but neither code nor settings were published: data and augmentation are those of
# 3DETR, bins and the frame of the position encoding our choice.
_base_ = [
    '../_base_/models/vdetr_m2ae.py', '../_base_/datasets/sunrgbd_det.py', '../_base_/schedules/vdetr.py',
    '../_base_/default_runtime.py'
]

model = dict(bbox_head=dict(num_classes=10, num_angle_bins=12, rpe_in_box_frame=True))
train_dataloader = dict(dataset=dict(filter_empty_gt=True))
