# Part segmentation on ShapeNetPart: 84.86 category mIoU, 86.51 instance mIoU (table 5).
# tools/train.py configs/m2ae/shapenetpart_seg.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
_base_ = [
    '../_base_/models/shape_encoder.py', '../_base_/datasets/shapenetpart.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

model = dict(
    type='PointM2AESegmentor',
    # One factor for all axes, and ranges of PointNet++, whose functions the published code calls.
    data_preprocessor=dict(
        type='M2AEShapePreprocessor',
        train_transforms=[
            dict(type='M2AEBatchScaleShift', scale_range=(0.8, 1.25), per_axis=False, shift_range=0.1)
        ]),
    backbone=_base_.finetuned_shape_encoder,
    head=dict(
        type='PointM2AEPartHead',
        num_parts=50,
        num_categories=16,
        in_channels=_base_.encoder_dims,
        propagated=[1536, 1024],
        hidden=[1024, 512, 256],
        category_channels=64))

# Batch 16, learning rate 2e-4; weight decay 0.05 is the published code's, the paper says 0.1.
optim_wrapper = dict(optimizer=dict(lr=2e-4, weight_decay=0.05))
param_scheduler = [dict(_base_.warm_up, start_factor=5e-3), _base_.cosine]
auto_scale_lr = dict(base_batch_size=16)
