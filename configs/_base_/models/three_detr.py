# 3DETR (Misra, Girdhar, Joulin, ICCV 2021), vanilla encoder. Numbers are those of the paper and of the published code,
# which says more. 7.31 M parameters with 18 classes.
_base_ = './three_detr_encoder.py'

model = dict(
    type='ThreeDETR',
    backbone=_base_.three_detr_encoder,
    bbox_head=dict(
        type='ThreeDETRHead',
        num_classes=18,
        in_channels=256,
        projection_channels=(256, 256),
        embed_dims=256,
        num_queries=256,
        num_layers=8,
        num_heads=4,
        feedforward_channels=256,
        dropout=0.1,
        mlp_dropout=0.3,
        num_angle_bins=1),  # axis-aligned boxes
    # Costs and weights of the published ScanNet script.
    train_cfg=dict(
        matcher=dict(cost_class=1., cost_giou=2., cost_center=0., cost_objectness=0.),
        loss_weights=dict(
            loss_sem_cls=1., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=5., loss_size=1., loss_giou=1.),
        no_object_weight=0.25),
    # VoteNet's evaluation protocol, which the paper follows.
    test_cfg=dict(nms_thr=0.25, score_thr=0.05, min_points=5, per_class_proposal=True))
