"""Ball query against loops in numpy, and the kernels against the reference."""
import numpy as np
import pytest
import torch
from clouds import KINDS, cloud, queries_for, squared_distances
from interpreted import compile_kernel, compiles_kernels, every_kernel, every_path, full_size, gpu_kernel

from m2ae_mm import ops
from m2ae_mm.ops.ball import _ball_query


def brute_force(center, points, radius, num_samples, min_radius):
    found = []
    for i, squared in enumerate(squared_distances(center, points)):
        if squared == 0 or np.float32(min_radius**2) <= squared < np.float32(radius**2):
            found.append(i)
    found = found[:num_samples]
    return found + [found[0] if found else 0] * (num_samples - len(found))


@every_path
@pytest.mark.parametrize('kind, radius, min_radius', [
    ('random', 0.3, 0.), ('random', 1.5, 0.), ('random', 2., 1.), ('grid', 1.5, 0.), ('grid', 2., 1.),
    ('equal', 0.3, 0.), ('equal', 2., 1.), ('line', 0.3, 0.), ('far', 1.5, 0.), ('spread', 0.3, 0.)])
def test_matches_brute_force(kind, radius, min_radius, device, monkeypatch):
    monkeypatch.setattr('m2ae_mm.ops.distances._PAIRS_AT_ONCE', 300)  # two centres at a time
    points = cloud(kind, 2, 60)
    centers = torch.cat([queries_for(kind, points, 8), torch.full((2, 1, 3), 99.)], 1)
    for num_samples in (1, 8, 70):
        expected = [[brute_force(q, c, radius, num_samples, min_radius) for q in qs]
                    for qs, c in zip(centers.numpy(), points.numpy())]
        found = ops.ball_query(centers.to(device), points.to(device), radius, num_samples, min_radius)
        assert found.tolist() == expected


@full_size
@every_kernel
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('radius', [0.05, 0.6])  # few points a ball: by tree; many: in order
def test_equals_the_reference_at_full_size(kind, radius, device):
    points = cloud(kind, 3, 2000).to(device)
    centers = queries_for(kind, points, 200)
    found = ops.ball_query(centers, points, radius, 16)
    with ops.use_reference():
        assert torch.equal(ops.ball_query(centers, points, radius, 16), found)


@gpu_kernel
@pytest.mark.parametrize('num_samples', [5, 100])
def test_short_runs(num_samples, device, monkeypatch):
    """Balls that are full after some of the blocks of points, or never."""
    from m2ae_mm.ops.ball import gpu
    monkeypatch.setattr(gpu, '_THREADS', 4)
    monkeypatch.setattr(gpu, '_RUN', 8)
    points = cloud('grid', 2, 70).to(device)
    centers = queries_for('grid', points, 6)
    for radius, min_radius in ((1.5, 0.), (2., 1.)):
        found = ops.ball_query(centers, points, radius, num_samples, min_radius)
        with ops.use_reference():
            assert torch.equal(ops.ball_query(centers, points, radius, num_samples, min_radius), found)


@every_kernel
@pytest.mark.parametrize('num_samples', [40, 1060])
def test_full_words_of_hits(num_samples, device):
    """Every bit of a run's word, the sign bit included; more blocks than a full ball needs."""
    points = cloud('random', 1, 1100).to(device)
    assert ops.ball_query(points[:, :2], points, 2., num_samples).tolist() == [[list(range(num_samples))] * 2]


@every_path
def test_radius_is_exclusive_and_inner_radius_inclusive(device):
    points = torch.tensor([[[0., 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]], device=device)
    center = points[:, :1]
    assert ops.ball_query(center, points, 2., 4).tolist() == [[[0, 1, 0, 0]]]
    assert ops.ball_query(center, points, 3., 4, min_radius=2.).tolist() == [[[0, 2, 0, 0]]]


@every_path
@pytest.mark.parametrize('radius', [0.35, 0.4])
def test_radii_are_squared_before_they_are_rounded(radius, device):
    """A point as far away as the rounded radius is inside one of 0.35 and outside one of 0.4."""
    points = torch.tensor([[[9., 0, 0], [radius, 0, 0]]], device=device)
    center = torch.zeros(1, 1, 3, device=device)
    is_inside = radius == 0.35
    assert ops.ball_query(center, points, radius, 1).item() == is_inside
    assert ops.ball_query(center, points, 10., 2, radius).tolist() == [[[0, 0 if is_inside else 1]]]


def test_keeps_the_promises_of_an_operator():
    points = cloud('random', 2, 40)
    torch.library.opcheck(_ball_query, (points[:, :5], points, 0.3, 4, 0.))


@every_path
def test_no_cloud_at_all_is_fine(device):
    points = torch.rand(0, 5, 3, device=device)
    assert ops.ball_query(points[:, :4], points, 0.5, 6).shape == (0, 4, 6)


@every_kernel
def test_not_a_number_gives_indices_in_range(device):
    points = cloud('random', 1, 100).to(device)
    points[0, ::7] = float('nan')
    points[0, 3] = float('inf')
    indices = ops.ball_query(points, points, 0.3, 5)
    assert indices.min() >= 0 and indices.max() < 100


@pytest.mark.parametrize('radius', [0.2, 0.3])
def test_bad_input(radius):
    points = torch.zeros(2, 5, 3)
    with pytest.raises(ValueError, match=f'radius={radius}, min_radius=0.3, num_samples=4'):
        ops.ball_query(points, points, radius, 4, 0.3)


@compiles_kernels
@pytest.mark.parametrize('ones', [False, True])
def test_kernel_compiles_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    from m2ae_mm.ops.ball.gpu import _within
    types = dict(centers='*fp32', by_run='*fp32', indices='*i64', outer='fp32', inner='fp32')
    constants = dict(HOLLOW=ones, CENTERS=4, THREADS=32, RUN=32, UNROLLED=4, SLOTS=1 if ones else 8,
                     **dict(num_samples=1, blocks=1) if ones else {})
    compiled = compile_kernel(_within, types, constants, num_warps=1, enable_fp_fusion=False)
    assert 'fma.rn.f32' not in compiled.asm['ptx']
