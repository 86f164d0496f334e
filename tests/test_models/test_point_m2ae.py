"""The self-supervised model beyond the reference vectors: learning, evaluation, switches."""
import pytest
import torch

from m2ae_mm.checkpoint import load_for_test
from m2ae_mm.models.layers.scales_and_masks import back_project_mask
from m2ae_mm.models.selfsup.point_m2ae import pool_tokens
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

CONFIG = dict(
    type='PointM2AE',
    backbone=dict(
        type='PointM2AEEncoder', num_centers=(64, 32, 8), num_neighbors=(8, 4, 4), embed_dims=(12, 24, 48),
        depths=(1, 1, 1), num_heads=3, radii=None, point_hidden=(8, 16, 16)),
    neck=dict(
        type='PointM2AEDecoder', encoder_dims=(12, 24, 48), embed_dims=(48, 24), depths=(1, 1), num_heads=3),
    head=dict(type='PointM2AEPretrainHead', in_channels=24, num_points=8),
    mask_ratio=0.75)


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build({**CONFIG, **changes})
    model.init_weights()
    return model


@pytest.fixture
def clouds():
    return torch.rand(3, 256, 3, generator=torch.Generator().manual_seed(0))


def test_the_last_batch_may_hold_one_cloud(clouds):
    model = build()
    loss = model(dict(points=clouds[:1]), mode='loss')['loss_chamfer']
    loss.backward()
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    assert loss.isfinite() and gradients and all(each.isfinite().all() for each in gradients)


def test_held_out_loss_repeats_and_says_what_was_seen(clouds):
    model = build().eval()
    samples = [Det3DDataSample(metainfo=dict(sample_idx=i)) for i in range(3)]
    with torch.no_grad():
        model(dict(points=clouds), samples, mode='predict')
        again = [Det3DDataSample(metainfo=dict(sample_idx=i)) for i in (1, 0)]
        model(dict(points=clouds[[1, 0]]), again, mode='predict')
    assert samples[1].reconstruction_loss == pytest.approx(again[0].reconstruction_loss, rel=1e-5)
    # int(0.75 * 8) = 6 of the coarsest are masked; at most 2 * 4 * 4 = 32 of 64 fine groups with 8 points are seen.
    assert len(samples[0].visible_points) <= 32 * 8
    assert len(samples[0].reconstructed_points) % 8 == 0 and len(samples[0].reconstructed_points) > 0


def test_prediction_shows_the_visible_points_once_and_the_reconstructed_ones_in_place(clouds):
    model = build().eval()
    for parameter in model.head.parameters():
        torch.nn.init.zeros_(parameter)  # every point is predicted at its centre
    samples = [Det3DDataSample(metainfo=dict(sample_idx=i)) for i in range(3)]
    with torch.no_grad():
        model(dict(points=clouds), samples, mode='predict')
    scales = model.backbone.build_scales(clouds)
    masked = model.make_masks(scales, [torch.Generator().manual_seed(i) for i in range(3)])
    for i, sample in enumerate(samples):
        seen = sorted({j for group in scales[0].neighbors[i][~masked[0][i]].tolist() for j in group})
        assert torch.equal(sample.visible_points, clouds[i][seen])
        centers = scales[1].centers[i][masked[1][i]]
        torch.testing.assert_close(sample.reconstructed_points.view(-1, 8, 3), centers.unsqueeze(1).expand(-1, 8, -1))


def test_a_probe_tests_checkpoints_of_any_decoder(tmp_path):
    trained = build()
    torch.save(dict(state_dict=trained.state_dict()), tmp_path / 'trained.pth')
    probe = build(type='PointM2AEProbe', neck=dict(CONFIG['neck'], depths=(2, 1)))
    torch.nn.init.zeros_(probe.backbone.norms[0].weight)
    load_for_test(probe, tmp_path / 'trained.pth')
    assert torch.equal(probe.backbone.norms[0].weight, trained.backbone.norms[0].weight)


def test_independent_masks_give_another_loss(clouds):
    ours, independent = build(), build(multi_scale_masking=False)
    masks = independent.make_masks(independent.backbone.build_scales(clouds), torch.Generator().manual_seed(1))
    assert [int(mask[0].sum()) for mask in masks] == [48, 24, 6]
    assert torch.isfinite(independent(dict(points=clouds), mode='loss')['loss_chamfer'])
    assert ours.make_masks(ours.backbone.build_scales(clouds))[0].sum() != masks[0].sum()


def test_decoder_may_stop_at_any_scale(clouds):
    """Stages 3/3 of table 11 reconstruct scale-1 groups from input points, 3/1 scale-3 groups."""
    for dims, target in (((48, 24, 12), 8), ((48, ), 4)):
        neck = dict(CONFIG['neck'], embed_dims=dims, depths=(1, ) * len(dims))
        model = build(neck=neck, head=dict(CONFIG['head'], in_channels=dims[-1]))
        scales = model.backbone.build_scales(clouds)
        result = model.reconstruct(clouds, scales, model.make_masks(scales))
        assert result.target.shape[2:] == (target, 3)


def test_no_skip_connections_have_fewer_weights():
    without = build(neck=dict(CONFIG['neck'], skip_connections=False))
    assert without.neck.propagations[0].fuse.linear.in_features == 48
    assert build().neck.propagations[0].fuse.linear.in_features == 48 + 24


def test_mixed_precision_keeps_the_loss_in_float32(clouds):
    model = build()
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(dict(points=clouds), mode='loss')['loss_chamfer']
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize('changes, message', [
    (dict(mask_ratio=1.), 'got 1.0'),
    (dict(neck=dict(CONFIG['neck'], embed_dims=(24, 24))), 'got 24 and 48'),
    (dict(neck=dict(CONFIG['neck'], depths=(1, ))), 'one entry per decoder stage'),
])
def test_wrong_options_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_unknown_mode_is_refused(clouds):
    with pytest.raises(ValueError, match="'train'"):
        build()(dict(points=clouds), mode='train')


def test_weights_start_as_published():
    model = build()
    default = lambda width: (3 * width)**-0.5  # noqa: E731  PyTorch's, by the inputs of a linear layer
    for name, expected in {
            'backbone.stages.2.blocks.0.mlp.fc1': 0.02, 'backbone.stages.1.position.2': 0.02,
            'backbone.embeddings.2.join': 0.02, 'neck.stages.0.blocks.0.mlp.fc1': (2 / (48 + 192))**0.5,
            'neck.stages.0.position.2': default(48), 'neck.propagations.0.fuse.linear': default(72),
            'head.predict_points': default(24)}.items():
        assert model.get_submodule(name).weight.std().item() == pytest.approx(expected, rel=0.1), name
    assert 0.01 < model.neck.mask_token.std() < 0.03


def test_a_probe_of_joined_scales_has_all_scales_beside_each_other(clouds):
    probe = build(type='PointM2AEProbe', joined_scales=True).eval()
    plain = build(type='PointM2AEProbe').eval()
    with torch.no_grad():
        features, coarsest = probe.extract_feat(clouds), plain.extract_feat(clouds)
        scales = plain.backbone.build_scales(clouds)
        masked = back_project_mask(torch.zeros(3, 8, dtype=torch.bool), scales)
        tokens = plain.backbone.encode(clouds, scales, masked)
    assert coarsest.shape == (3, 48) and features.shape == (3, 12 + 24 + 48)
    assert torch.equal(features[:, -48:], coarsest)  # the published protocol
    assert masked[0].any()  # fine centres of no group
    for i in range(3):
        for first, scale in ((0, 0), (12, 1)):
            seen = tokens[scale][i][~masked[scale][i]]
            expected = seen.mean(0) + seen.amax(0)
            torch.testing.assert_close(features[i, first:first + len(expected)], expected)


def test_what_is_left_out_has_no_part_in_pooled_tokens():
    tokens, masked = torch.randn(2, 5, 3) - 10, torch.zeros(2, 5, dtype=torch.bool)
    masked[0, 2:], masked[1, 0] = True, True
    found = pool_tokens(tokens.masked_fill(masked[..., None], 0), masked)  # what encoders put there
    torch.testing.assert_close(found[0], tokens[0, :2].mean(0) + tokens[0, :2].amax(0))
    torch.testing.assert_close(found[1], tokens[1, 1:].mean(0) + tokens[1, 1:].amax(0))
    for pooling, expected in (('max', tokens[0, :2].amax(0)), ('mean', tokens[0, :2].mean(0))):
        torch.testing.assert_close(pool_tokens(tokens, masked, pooling)[0], expected)


def test_unknown_pooling_of_a_probe_is_named():
    with pytest.raises(ValueError, match="pooling is one of max\\+mean, max, mean; got 'min'"):
        MODELS.build(dict(CONFIG, type='PointM2AEProbe', pooling='min'))
