# 3DETR-m on ScanNetV2. Published: 65.0 AP25, 47.0 AP50; AP25 after 90, 180, 360 and 720 epochs: 47.1, 58.7, 62.4, 63.7.
_base_ = [
    '../_base_/models/three_detr_masked.py', '../_base_/datasets/scannet_det_crops.py',
    '../_base_/schedules/three_detr.py', '../_base_/default_runtime.py'
]
