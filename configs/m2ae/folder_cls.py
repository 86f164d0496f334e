# Classify a folder of your own shapes, one sub-folder a class; everything but the data is as on ModelNet40:
# tools/train.py configs/m2ae/folder_cls.py --cfg-options train_dataloader.dataset.data_root=MY_SHAPES \
#     val_dataloader.dataset.data_root=MY_SHAPES model.head.num_classes=MY_CLASSES \
#     model.backbone.init_cfg.checkpoint=PRETRAINED.pth
# The folders found are numbered by name. Where training and test shapes lie in different folders, or for tools/test.py
# where the training shapes are not there, name the classes in the order of their labels, for each loader alike:
#     train_dataloader.dataset.classes="[bed,chair]" val_dataloader.dataset.classes="[bed,chair]"
# (and test_dataloader.dataset.classes for tools/test.py).
_base_ = [
    '../_base_/models/point_m2ae_cls.py', '../_base_/datasets/folder.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

random_points = [dict(type='M2AEBatchSample', num_points=1024, num_candidates=1200), dict(type='M2AEBatchScaleShift')]
model = dict(
    data_preprocessor=dict(
        train_transforms=random_points,
        test_transforms=[dict(type='M2AEBatchSample', num_points=1024)],
        vote_transforms=random_points),
    head=dict(num_classes=40, pooling='max+mean', label_smoothing=0.3))
# BatchNorm cannot take a last batch of one shape. With fewer than 32 shapes, lower train_dataloader.batch_size.
train_dataloader = dict(drop_last=True)
val_evaluator = dict(type='M2AEAccuracy')
test_evaluator = val_evaluator
