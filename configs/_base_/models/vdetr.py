# V-DETR's decoder (Shen et al., ICLR 2024) on the encoder of 3DETR-m; the published one, of sparse convolutions, is not
# here. Numbers are those of the published training command and of its code's defaults.
_base_ = './three_detr_masked.py'

model = dict(
    bbox_head=dict(
        _delete_=True,
        type='VDETRHead',
        num_classes=18,
        in_channels=256,
        embed_dims=256,
        num_queries=1024,
        num_layers=8,  # "9" in the paper, which counts the light first layer
        num_heads=4,
        feedforward_channels=256,
        dropout=0.1,
        mlp_dropout=0.3,
        num_angle_bins=1,  # axis-aligned boxes
        # Cubes of 1 m (--hard_anchor of the training command); otherwise those of ../datasets/scannet_mean_sizes.py.
        anchor_sizes=None,
        query_content='learned',
        position_encoding='vertices',
        rpe_channels=128,
        rpe_in_box_frame=False,
        relative_to='proposal',
        scene_normalized=False),
    train_cfg=dict(
        _delete_=True,
        matcher=dict(cost_class=3., cost_giou=2., cost_center=1., cost_size=0.5, copies=5, first_assignment='matched'),
        loss_weights=dict(
            loss_sem_cls=3., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=1., loss_size=0.5, loss_giou=2.,
            loss_point_cls=0.05)),
    # All boxes count, whatever their score, with points or without.
    test_cfg=dict(_delete_=True, nms_thr=0.25, score_thr=0., min_points=0, per_class_proposal=True))
