# Classification on ModelNet40: 93.43 %, 93.96 % with voting (table 2).
# tools/train.py configs/m2ae/modelnet40_cls.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
# With voting: tools/test.py configs/m2ae/modelnet40_cls.py CKPT --cfg-options model.votes=10
_base_ = [
    '../_base_/models/point_m2ae_cls.py', '../_base_/datasets/modelnet40.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

# Train on a random 1,024 of 1,200 furthest points, test on the 1,024 furthest (published code).
sample = dict(type='M2AEBatchSample', num_points=1024, num_candidates=1200)
model = dict(
    data_preprocessor=dict(
        train_transforms=[sample, dict(type='M2AEBatchScaleShift')],
        test_transforms=[dict(type='M2AEBatchSample', num_points=1024)],
        # A vote scales but does not shift (published code).
        vote_transforms=[sample, dict(type='M2AEBatchScaleShift', shift_range=0.)]),
    # Off-class targets are 0.3 / 39.
    head=dict(num_classes=40, pooling='max+mean', label_smoothing=0.3))
