# Linear SVM on frozen features of ModelNet40: 92.87 % (table 1).
# tools/test.py configs/m2ae/modelnet40_svm.py PRETRAINED.pth
# Not the published protocol: features of all scales joined, --cfg-options model.joined_scales=True
_base_ = ['../_base_/models/point_m2ae.py', '../_base_/default_runtime.py']

model = dict(type='PointM2AEProbe')
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='m2ae_collate'),
    dataset=dict(
        type='M2AEModelNet40H5',
        data_root='data/ModelNet/modelnet40_ply_hdf5_2048/',
        split=['train', 'test'],
        # The first 1,024 of 2,048 points, in the scale that the files have (published code).
        pipeline=[dict(type='M2AESamplePoints', num_points=1024, random=False), dict(type='M2AEPackShape')],
        test_mode=True))
# The published code uses 0.01 or 0.012. C=[0.001, 0.003, 0.01, 0.03, 0.1] chooses by cross-validation on train.
test_evaluator = dict(type='M2AELinearProbeMetric', C=0.01)
test_cfg = dict(type='TestLoop')
