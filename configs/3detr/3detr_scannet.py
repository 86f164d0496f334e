# 3DETR on ScanNetV2. Published: 62.1 AP25, 37.9 AP50.
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/datasets/scannet_det.py', '../_base_/schedules/three_detr.py',
    '../_base_/default_runtime.py'
]
