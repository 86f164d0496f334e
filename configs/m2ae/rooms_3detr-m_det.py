# scannet_3detr-m_det.py on composed rooms, sizes for two CPU cores. Start from pre-trained weights with
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/rooms_3detr-m_pretrain/epoch_5.pth
_base_ = '../3detr/3detr-m_rooms.py'

model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')))
