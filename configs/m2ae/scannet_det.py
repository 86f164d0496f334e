# Point-M2AE's hierarchical encoder under the 3DETR decoder. Schedule and recipe of 3DETR-m (section 4.3 of Point-M2AE).
# Start from pre-trained weights with
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/scannet_pretrain/epoch_1080.pth
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/models/scene_encoder.py', '../_base_/datasets/scannet_det_crops.py',
    '../_base_/schedules/three_detr.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(_delete_=True, **_base_.finetuned_scene_encoder),
    # The decoder attends to 1,024 tokens of width 256, as in 3DETR-m.
    neck=dict(type='PointM2AEPropagation', encoder_dims=_base_.encoder_dims, out_channels=[256]),
    bbox_head=dict(in_channels=256, projection_channels=(256, )))
# The norm of the finest stage feeds nothing here.
find_unused_parameters = True
