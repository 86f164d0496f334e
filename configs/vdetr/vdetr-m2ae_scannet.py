# Point-M2AE's hierarchical encoder under V-DETR's decoder. Recipe of V-DETR, which has 77.4 AP25 and 65.0 AP50 with its
# own backbone of sparse convolutions; not a setting of a paper.
# Start from pre-trained weights (../m2ae/scannet_pretrain.py) with
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/scannet_pretrain/epoch_1080.pth
_base_ = [
    '../_base_/models/vdetr_m2ae.py', '../_base_/datasets/scannet_det_vdetr.py', '../_base_/schedules/vdetr.py',
    '../_base_/default_runtime.py'
]
