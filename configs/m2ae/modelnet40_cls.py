# Classification on ModelNet40: 93.43 %, 93.96 % with voting (table 2).
# tools/train.py configs/m2ae/modelnet40_cls.py --cfg-options model.backbone.init_cfg.checkpoint=PRETRAINED.pth
# With voting: tools/test.py configs/m2ae/modelnet40_cls.py CKPT --cfg-options model.votes=10
_base_ = [
    '../_base_/models/point_m2ae_cls.py', '../_base_/datasets/modelnet40.py', '../_base_/schedules/m2ae_finetune.py',
    '../_base_/default_runtime.py'
]

# Train and vote on a random 1,024 of 1,200 furthest points, scaled and shifted, test on the 1,024 furthest (published
# code).
random_points = [dict(type='M2AEBatchSample', num_points=1024, num_candidates=1200), dict(type='M2AEBatchScaleShift')]
model = dict(
    data_preprocessor=dict(
        train_transforms=random_points,
        test_transforms=[dict(type='M2AEBatchSample', num_points=1024)],
        vote_transforms=random_points),
    # Off-class targets are 0.3 / 39.
    head=dict(num_classes=40, pooling='max+mean', label_smoothing=0.3))
