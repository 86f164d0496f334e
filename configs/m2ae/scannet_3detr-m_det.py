# The paper's detection experiment, second half: 3DETR-m exactly as from scratch, but for the weights it starts from.
# Published: 66.3 AP25, 48.3 AP50 (3DETR-m from scratch: 65.0, 47.0). Start from pre-trained weights with
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/scannet_3detr-m_pretrain/epoch_1080.pth
_base_ = '../3detr/3detr-m_scannet.py'

model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')))
