"""3DETR as encoder, as detector, and with its neighbours in the ecosystem."""
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from runs import CONFIGS

from m2ae_mm.models.layers.scales_and_masks import back_project_mask
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample

INTERIM = dict(num_points=16, radius=0.6, num_samples=8, mlp_channels=(16, ))


def encoder_config(masked=True, **options):
    config = dict(
        type='ThreeDETREncoder', num_points=32, radius=0.4, num_samples=8, mlp_channels=(16, ), embed_dims=16,
        feedforward_channels=16, dropout=0.)
    if masked:
        config.update(masking_radii=(0.3, 0.6, 1.), interim=INTERIM)
    return {**config, **options}


def detector(backbone=None, in_channels=16, **options):
    head = dict(
        type='ThreeDETRHead', num_classes=3, in_channels=in_channels, projection_channels=(16, ), embed_dims=16,
        num_queries=8, num_layers=2, feedforward_channels=16, mlp_dropout=0., dropout=0.)
    head.update(options.pop('head', {}))
    torch.manual_seed(0)
    return MODELS.build(dict(type='ThreeDETR', backbone=backbone or encoder_config(), bbox_head=head, **options))


def cloud(count, seed=0, columns=3):
    return torch.rand(count, columns, generator=torch.Generator().manual_seed(seed)) * 2


def sample(count=2, rotated=False):
    columns = 7 if rotated else 6
    boxes = torch.rand(count, columns, generator=torch.Generator().manual_seed(9)) + 0.5
    result = Det3DDataSample()
    result.gt_instances_3d = InstanceData(
        bboxes_3d=DepthInstance3DBoxes(boxes, box_dim=columns, with_yaw=rotated, origin=(0.5, 0.5, 0.5)),
        labels_3d=torch.arange(count) % 3)
    return result


def test_a_broken_scene_is_named():
    scene = cloud(200)
    scene[19, 0] = torch.nan
    broken = sample()
    broken.set_metainfo(dict(lidar_path='points/scene0191_00.bin'))
    for mode in ('loss', 'predict'):
        with pytest.raises(ValueError, match="the first at .1, 19. of 'points/scene0191_00.bin'"):
            detector()(dict(points=[cloud(200), scene]), [sample(), broken], mode=mode)


# --- encoder


@pytest.mark.parametrize('masked', [False, True])
def test_encoder_honours_the_backbone_contract(masked):
    encoder = MODELS.build(encoder_config(masked)).eval()
    points = torch.stack([cloud(200, 1), cloud(200, 2)])
    feats = encoder(points)
    tokens = 16 if masked else 32
    assert feats['fp_features'][-1].shape == (2, 16, tokens)
    assert feats['fp_indices'][-1].dtype == torch.int64
    picked = points.take_along_dim(feats['fp_indices'][-1].unsqueeze(-1), 1)
    assert torch.equal(picked, feats['fp_xyz'][-1])
    assert [xyz.shape[1] for xyz in feats['sa_xyz']] == ([200, 32, 16] if masked else [200, 32])


def test_interim_groups_index_the_finer_centres():
    encoder = MODELS.build(encoder_config())
    fine, coarse = encoder.build_scales(cloud(200)[None])
    members = fine.centers[0][coarse.neighbors[0]]
    assert (members - coarse.centers[0].unsqueeze(1)).norm(dim=-1).max() < 0.6


def test_nothing_masked_equals_no_mask():
    encoder = MODELS.build(encoder_config()).eval()
    points = torch.stack([cloud(200, 1), cloud(200, 2)])
    scales = encoder.build_scales(points)
    visible = [torch.zeros(2, count, dtype=torch.bool) for count in (32, 16)]
    for dense, packed in zip(encoder.encode(points, scales), encoder.encode(points, scales, visible)):
        torch.testing.assert_close(packed, dense)


@pytest.mark.parametrize('radii', [None, (0.3, 0.6, 1.)])
def test_masked_tokens_are_zero_and_unseen(radii):
    """Neither another cloud's padding nor what a masked group holds reaches visible tokens."""
    encoder = MODELS.build(encoder_config(masking_radii=radii)).train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    points = torch.stack([cloud(200, 1), cloud(200, 2)])
    scales = encoder.build_scales(points)
    top = torch.ones(2, 16, dtype=torch.bool)
    top[0, :4] = top[1, 5:12] = False  # visible counts differ between the clouds
    masked = back_project_mask(top, scales)
    encoded = encoder.encode(points, scales, masked)
    for tokens, mask in zip(encoded, masked):
        assert (tokens[mask] == 0).all() and (tokens[~mask].abs().sum(-1) > 0).all()

    seen = torch.zeros(2, 200, dtype=torch.bool)
    for b in range(2):
        seen[b, scales[0].neighbors[b][~masked[0][b]].unique()] = True
    moved = torch.where(seen.unsqueeze(-1), points, points + 7)
    for before, after in zip(encoded, encoder.encode(moved, scales, masked)):
        torch.testing.assert_close(after, before)
    for b in range(2):
        alone = encoder.encode(points[b:b + 1], [type(s)(*(v[b:b + 1] for v in s)) for s in scales],
                               [mask[b:b + 1] for mask in masked])
        for whole, part in zip(encoded, alone):
            torch.testing.assert_close(part[0], whole[b])


def test_batch_norm_sees_visible_groups_only():
    encoder = MODELS.build(encoder_config(masked=False)).train()
    points = torch.cat([cloud(200)[None], cloud(200, 1)[None] + 100])
    scales = encoder.build_scales(points)
    masked = [torch.zeros(2, 32, dtype=torch.bool)]
    masked[0][1, 1:] = True
    encoder.encode(points, scales, masked)
    layer = encoder.embeddings[0].layers[0]
    scale = scales[0]
    members = torch.cat([points[b][scale.neighbors[b][~masked[0][b]]] - scale.centers[b][~masked[0][b]].unsqueeze(1)
                         for b in range(2)])
    mean = layer.linear(members / 0.4).flatten(0, 1).mean(0)
    torch.testing.assert_close(layer.norm.running_mean, 0.1 * mean, rtol=1e-4, atol=1e-5)


def test_extra_channels_enter_the_tokens():
    encoder = MODELS.build(encoder_config(in_channels=6)).eval()
    points = cloud(200, columns=6)[None]
    before = encoder(points)['fp_features'][-1]
    recoloured = torch.cat([points[..., :3], 1 - points[..., 3:]], -1)
    assert (encoder(recoloured)['fp_features'][-1] - before).abs().max() > 1e-3


@pytest.mark.parametrize('options,message', [
    (dict(masking_radii=(0.3, 0.6)), 'one radius per layer'),
    (dict(masking_radii=(0.3, 0.6, 1., 1.4)), 'one radius per layer'),
    (dict(num_layers=1, masking_radii=(0.3, )), 'at least 2 layers'),
    (dict(in_channels=0), 'at least 3; got 0'),
    (dict(num_heads=3), 'multiple of the heads, got 16 and 3'),
])
def test_wrong_options_are_explained(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(encoder_config(**options))


# --- detector


def test_one_step_lowers_the_loss_and_reaches_every_parameter():
    model = detector()
    inputs, samples = dict(points=[cloud(300, 1), cloud(300, 2)]), [sample(2), sample(3)]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    totals = []
    for _ in range(5):
        total, log = model.parse_losses(model(inputs, samples, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < totals[0]
    assert {'loss_giou', 'd0.loss_giou', 'cardinality_error'} <= set(log)
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def test_prediction_does_not_depend_on_companions_in_the_batch():
    """Smaller clouds are stacked by repetition, which changes nothing for them."""
    model = detector(test_cfg=dict(score_thr=0., min_points=1)).eval()
    small, large = cloud(150, 1), cloud(300, 2)
    together = model(dict(points=[small, large]), [sample(), sample()], mode='predict')[0].pred_instances_3d
    alone = model(dict(points=[small]), [sample()], mode='predict')[0].pred_instances_3d
    assert len(alone) > 0
    torch.testing.assert_close(together.scores_3d, alone.scores_3d)
    torch.testing.assert_close(together.bboxes_3d.tensor, alone.bboxes_3d.tensor)


def test_rotated_boxes_train_and_are_found():
    model = detector(head=dict(num_angle_bins=12), test_cfg=dict(score_thr=0., min_points=1))
    inputs, samples = dict(points=[cloud(300, 1), cloud(300, 2)]), [sample(2, rotated=True), sample(0, rotated=True)]
    losses = model(inputs, samples, mode='loss')
    assert losses['loss_angle_cls'] > 0 and losses['loss_angle_reg'] > 0
    total, _ = model.parse_losses(losses)
    total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    found = model.eval()(inputs, samples, mode='predict')[0].pred_instances_3d.bboxes_3d
    assert found.with_yaw and found.yaw.abs().max() > 0


@pytest.mark.parametrize('count', [1, 5])
def test_fewer_points_than_tokens_and_no_ground_truth(count):
    model = detector(test_cfg=dict(score_thr=0.))
    inputs = dict(points=[cloud(count), cloud(count, 1)])
    total, _ = model.parse_losses(model(inputs, [sample(0), sample(2)], mode='loss'))
    total.backward()
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    results = model.eval()(inputs, [sample(0), sample(0)], mode='predict')
    assert all(r.pred_instances_3d.scores_3d.isfinite().all() for r in results)


@pytest.mark.parametrize('points,message', [
    ([cloud(10), torch.full((10, 3), torch.nan)], 'holds 10 points with NaN'),
    ([cloud(10), cloud(0)], 'cloud 1 of the batch has no points'),
    ([cloud(10, columns=4)], r'needs points \(B, N, 3\), got \(1, 10, 4\)'),
])
def test_bad_clouds_are_explained(points, message):
    with pytest.raises(ValueError, match=message):
        detector()(dict(points=points), [sample()] * len(points), mode='loss')


def test_wrong_width_between_backbone_and_head_is_explained():
    with pytest.raises(ValueError, match='set in_channels to 16'):
        detector(in_channels=32)(dict(points=[cloud(50)]), [sample()], mode='loss')


@pytest.mark.parametrize('option,error,message', [
    (dict(train_cfg=dict(loss_weights=dict(loss_gious=1))), ValueError, 'loss_gious'),
    (dict(train_cfg=dict(matcher=dict(cost_iou=1))), TypeError, 'cost_iou'),
    (dict(test_cfg=dict(nms=0.25)), TypeError, "'nms'"),
])
def test_misspelt_options_are_named(option, error, message):
    with pytest.raises(error, match=message):
        detector(**option)


def test_half_precision_keeps_losses_in_float32():
    model = detector()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(dict(points=[cloud(300)]), [sample()], mode='loss')
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in losses.values())


@pytest.mark.parametrize('backbone,channels', [
    (dict(type='PointNet2SASSG', in_channels=3, num_points=(32, 16), radius=(0.4, 0.8), num_samples=(8, 8),
          sa_channels=((8, 8), (8, 8)), fp_channels=((16, 16), )), 16),
    (dict(type='PointM2AEEncoder', num_centers=(32, 16), num_neighbors=(8, 4), embed_dims=(12, 24), depths=(1, 1),
          point_hidden=(8, 8, 16), radii=(0.4, 0.8)), 24),
])
def test_other_backbones_fit(backbone, channels):
    model = detector(backbone, channels)
    total, _ = model.parse_losses(model(dict(points=[cloud(200)]), [sample()], mode='loss'))
    total.backward()
    assert total.isfinite()


def test_a_detector_starts_from_a_pre_trained_encoder(tmp_path):
    """As the configs of the paper's detection experiment do it: all of the encoder, its interim step included."""
    sizes = dict(num_points=32, mlp_channels=(16, ), embed_dims=32, interim=dict(num_points=16, mlp_channels=(16, )))
    models = []
    for kind, more in (('pretrain', dict(neck=dict(encoder_dims=[32, 32], embed_dims=[32]), head=dict(in_channels=32))),
                       ('det', dict(bbox_head=dict(in_channels=32, projection_channels=(16, ), embed_dims=32)))):
        config = Config.fromfile(CONFIGS / f'scannet_3detr-m_{kind}.py').model
        config.merge(dict(backbone=sizes, **more))
        if models:
            config.backbone.init_cfg.checkpoint = str(tmp_path / 'trained.pth')
        torch.manual_seed(len(models))
        models.append(MODELS.build(config))
        models[-1].init_weights()
        if len(models) == 1:
            torch.save(dict(state_dict=models[0].state_dict()), tmp_path / 'trained.pth')
    trained, started = (model.backbone.state_dict() for model in models)
    assert trained.keys() == started.keys() and 'embeddings.1.layers.0.linear.weight' in trained
    assert not [name for name, value in trained.items() if not torch.equal(value, started[name])]
