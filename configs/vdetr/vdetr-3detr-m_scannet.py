# 3DETR-m's encoder under V-DETR's decoder: 256 queries, as 3DETR has, of 1,024 tokens. Recipe of V-DETR; not a setting
# of a paper. Start from pre-trained weights as ../m2ae/scannet_3detr-m_det.py does.
_base_ = [
    '../_base_/models/vdetr.py', '../_base_/datasets/scannet_det_vdetr.py', '../_base_/schedules/vdetr.py',
    '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    bbox_head=dict(num_queries=256))
