# Classify a folder of your own shapes, one sub-folder a class, in sizes for CPUs; everything else is as on ModelNet40:
# m2ae train m2ae_mm::m2ae/folder_cls.py --data MY_SHAPES --pretrained shapes_small \
#     --cfg-options model.head.num_classes=MY_CLASSES
# In place of the weights that come with the package, those of folder_pretrain.py:
#     --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
# The folders found are numbered by name. Where training and test shapes lie in different folders, or for tools/test.py
# where the training shapes are not there, name the classes in the order of their labels, for each loader alike:
#     train_dataloader.dataset.classes="[bed,chair]" val_dataloader.dataset.classes="[bed,chair]"
# (and test_dataloader.dataset.classes for tools/test.py).
_base_ = ['./folder_cls_large.py', '../_base_/models/small_encoder.py']

model = dict(backbone=_base_.small_encoder, head=dict(in_channels=_base_.small_encoder['embed_dims'][-1]))
train_dataloader = dict(num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
