# 3DETR on ScanNetV2. Published: 62.1 AP25, 37.9 AP50; AP25 after 90, 180, 360 and 720 epochs: 42.8, 54.5, 59.0, 61.1.
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/datasets/scannet_det_crops.py', '../_base_/schedules/three_detr.py',
    '../_base_/default_runtime.py'
]
