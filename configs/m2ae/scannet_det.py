# Point-M2AE's hierarchical encoder under the 3DETR decoder. Schedule and recipe of 3DETR-m (section 4.3 of Point-M2AE).
# Start from pre-trained weights with
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/scannet_pretrain/epoch_1080.pth
_base_ = [
    '../_base_/models/three_detr.py', '../_base_/datasets/scannet_det_crops.py',
    '../_base_/schedules/three_detr.py', '../_base_/default_runtime.py'
]

encoder_dims = [96, 192, 384]
model = dict(
    backbone=dict(
        _delete_=True,
        type='PointM2AEEncoder',
        num_centers=[2048, 1024, 256],  # as in scannet_pretrain.py
        num_neighbors=[32, 8, 8],
        embed_dims=encoder_dims,
        depths=[5, 5, 5],
        radii=[0.4, 0.8, 1.2],  # metres, the radii of 3DETR-m (section 3.4 of 3DETR)
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    # The decoder attends to 1,024 tokens of width 256, as in 3DETR-m.
    neck=dict(type='PointM2AEPropagation', encoder_dims=encoder_dims, out_channels=[256]),
    bbox_head=dict(in_channels=256, projection_channels=(256, )))
# The norm of the finest stage feeds nothing here.
find_unused_parameters = True
