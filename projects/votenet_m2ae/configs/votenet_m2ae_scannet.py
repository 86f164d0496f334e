# mmdet3d's VoteNet on ScanNetV2 with Point-M2AE's encoder in place of PointNet++. Data, votes, head, losses and
# schedule are mmdet3d's.
_base_ = 'mmdet3d::votenet/votenet_8xb8_scannet-3d.py'
custom_imports = dict(imports=['m2ae_mm'], allow_failed_imports=False)

encoder_dims = [96, 192, 384]
model = dict(
    backbone=dict(
        _delete_=True,
        type='PointM2AEEncoder',
        in_channels=4,  # x, y, z and the height that mmdet3d's VoteNet adds
        num_centers=[2048, 1024, 256],  # sizes as in configs/m2ae/scannet_det.py
        num_neighbors=[32, 8, 8],
        embed_dims=encoder_dims,
        depths=[5, 5, 5],
        radii=[0.4, 0.8, 1.2],
        init_cfg=dict(type='Pretrained', checkpoint=None, prefix='backbone.')),
    # 1,024 seeds of width 256, as many and as wide as mmdet3d's backbone gives to the vote head.
    neck=dict(type='PointM2AEPropagation', encoder_dims=encoder_dims, out_channels=[256]))

# mmdet3d's 8e-3 (for 64 scenes per step) is made for PointNet++. The encoder learns at a tenth, near the 5e-4 that
# Point-M2AE is fine-tuned with. Ours, not tuned.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))

val_evaluator = dict(type='M2AEIndoorMetric')
test_evaluator = val_evaluator
visualizer = dict(type='M2AELocalVisualizer')  # mmdet3d's own opens a window
# For several processes: the norm of scale 1, which the neck does not read, gets no gradient.
find_unused_parameters = True
