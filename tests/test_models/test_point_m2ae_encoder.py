"""Properties of the encoder that the reference vectors do not cover."""
import pytest
import torch

from m2ae_mm.models.backbones import PointM2AEEncoder
from m2ae_mm.models.layers.scales_and_masks import back_project_mask, random_mask
from m2ae_mm.models.necks import PointM2AEPropagation

SMALL = dict(num_centers=(64, 32, 8), num_neighbors=(8, 4, 4), embed_dims=(12, 24, 48), depths=(2, 1, 1), num_heads=3)


@pytest.fixture
def cloud():
    return torch.rand(2, 256, 3, generator=torch.Generator().manual_seed(0))


def encoder(**changes):
    torch.manual_seed(0)
    model = PointM2AEEncoder(**{**SMALL, **changes})
    model.init_weights()
    return model.eval()


def test_default_encoder_has_the_published_size():
    # 12.65 M in the paper's count, without stage norms 0.0013 M less.
    count = sum(p.numel() for p in PointM2AEEncoder().parameters())
    assert count / 1e6 == pytest.approx(12.65, abs=0.01)


def test_detector_contract(cloud):
    outputs = encoder()(cloud)
    for xyz, indices in zip(outputs['sa_xyz'], outputs['sa_indices']):
        assert torch.equal(xyz, cloud.gather(1, indices.unsqueeze(-1).expand(-1, -1, 3)))
    assert [f.shape for f in outputs['sa_features'][1:]] == [(2, 12, 64), (2, 24, 32), (2, 48, 8)]
    assert outputs['fp_xyz'][-1] is outputs['sa_xyz'][-1]


def test_propagation_neck_extends_to_finer_scales(cloud):
    outputs = encoder()(cloud)
    neck = PointM2AEPropagation((12, 24, 48), (32, 20)).eval()
    neck.init_weights()
    extended = neck(outputs)
    assert [f.shape for f in extended['fp_features']] == [(2, 48, 8), (2, 32, 32), (2, 20, 64)]
    assert torch.equal(extended['fp_indices'][-1], outputs['sa_indices'][1])
    assert len(outputs['fp_xyz']) == 1  # the encoder's own dictionary is left alone


def test_masked_points_do_not_matter(cloud):
    """Moving points of masked groups changes nothing that is visible."""
    model = encoder(radii=None)
    scales = model.build_scales(cloud)
    masked = back_project_mask(random_mask(scales[-1].centers, 0.75, torch.Generator().manual_seed(3)), scales)
    before = model.encode(cloud, scales, masked)
    used = torch.zeros(2, 256, dtype=torch.bool)
    for b in range(2):
        used[b, scales[0].neighbors[b][~masked[0][b]].flatten()] = True
    moved = torch.where(used.unsqueeze(-1), cloud, cloud + 5.)
    hidden = [torch.where(mask.unsqueeze(-1), scale.centers + 7., scale.centers) for scale, mask in zip(scales, masked)]
    shifted = [scale._replace(centers=centers) for scale, centers in zip(scales, hidden)]
    for ours, other, mask in zip(before, model.encode(moved, shifted, masked), masked):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-5)
        assert (ours[mask] == 0).all()


def test_padding_of_a_batch_does_not_matter(cloud):
    model = encoder()
    scales = model.build_scales(cloud)
    masked = back_project_mask(random_mask(scales[-1].centers, 0.75, torch.Generator().manual_seed(4)), scales)
    together = model.encode(cloud, scales, masked)
    for b in range(2):
        alone_scales = model.build_scales(cloud[b:b + 1])
        alone = model.encode(cloud[b:b + 1], alone_scales, [mask[b:b + 1] for mask in masked])
        for ours, other in zip(together, alone):
            torch.testing.assert_close(ours[b:b + 1], other, rtol=1e-4, atol=1e-5)


def test_extra_channels_enter_the_first_scale(cloud):
    model = encoder(in_channels=4)
    coloured = torch.cat([cloud, torch.rand(2, 256, 1)], -1)
    plain = torch.cat([cloud, torch.zeros(2, 256, 1)], -1)
    assert not torch.allclose(model(coloured)['fp_features'][-1], model(plain)['fp_features'][-1])
    assert torch.equal(model(coloured)['sa_features'][0], coloured[..., 3:].transpose(1, 2))


@pytest.mark.parametrize('changes, message', [
    (dict(depths=(1, 1)), 'one entry per scale'),
    (dict(radii=(0.1, )), 'one entry per scale'),
    (dict(radii=0.3), 'one entry per scale, got .* radii=0.3'),
    (dict(num_centers=64), 'one entry per scale, got num_centers=64'),
    (dict(depths=(-1, 1, 1)), 'depths at least 0'),
    (dict(point_hidden=(8, 16)), r'three widths, got \(8, 16\)'),
    (dict(drop_path_rate=2.), 'below 1, got 2.0'),
    (dict(drop_path_rate=1.), 'below 1, got 1.0'),
    (dict(in_channels=2), 'got 2'),
    (dict(num_heads=5), '12 and 5'),
])
def test_wrong_sizes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PointM2AEEncoder(**{**SMALL, **changes})


@pytest.mark.parametrize('channels', [(), (8, 8, 8, 8)])
def test_propagation_has_at_most_a_step_to_each_finer_scale_and_one_to_the_points(channels):
    with pytest.raises(ValueError, match='3 scales allow 1 to 3 steps'):
        PointM2AEPropagation((12, 24, 48), channels)


def test_wrong_columns_are_named():
    with pytest.raises(ValueError, match=r'needs points \(B, N, 3\), got \(2, 50, 6\)'):
        encoder()(torch.rand(2, 50, 6))


def test_a_list_of_clouds_is_named():
    with pytest.raises(ValueError, match=r'one tensor \(B, N, 3\), got a list'):
        encoder()([torch.rand(50, 3)])


def test_compiled_whole_graph_equals_eager(cloud):
    model = encoder()
    compiled = torch.compile(model, backend='aot_eager', fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(cloud)['fp_features'][-1], model(cloud)['fp_features'][-1])
