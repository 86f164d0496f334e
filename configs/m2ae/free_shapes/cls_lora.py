# cls.py with LoRA: low-rank matrices on the attention of the encoder and the head learn. As --tuning lora does it.
# tools/train.py configs/m2ae/free_shapes/cls_lora.py --pretrained shapes_small
# Plain weights for deployment: m2ae convert work_dirs/cls_lora/epoch_30.pth merged.pth
_base_ = './cls.py'

model = dict(backbone=dict(lora=dict(rank=8)))  # the published code's rank for language models
