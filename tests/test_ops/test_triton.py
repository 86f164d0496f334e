"""Triton kernels against the reference: interpreted on a CPU, compiled where there is a GPU."""
import pytest
import torch
from interpreted import DEVICE, INTERPRETED, compiles_kernels, runs_kernels

from m2ae_mm.ops import reference


def _cloud(kind, batch, num_points):
    generator = torch.Generator().manual_seed(num_points)
    points = torch.rand(batch, num_points, 3, generator=generator)
    if kind == 'grid':  # many equal distances and duplicates
        points = (points * 3).floor()
    if kind == 'far':
        points = points + 1000
    return points.to(DEVICE)


@compiles_kernels
@pytest.mark.parametrize('ones', [False, True])
def test_kernels_compile_without_a_gpu(ones):
    """The interpreter accepts what the compiler's types do not; arguments equal to 1 become constants."""
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton import ball, boxes, neighbors, sampling
    kernels = [
        (sampling._sample_in_registers, 4, {'BLOCK': 256}),
        (sampling._sample_slice, 1, {'SLOTS': 32, 'SLICE': 256}),
        (neighbors._nearest, 1, {'QUERIES': 1 if ones else 8, 'GROUPS': 64, 'MEMBERS': 1 if ones else 32}),
        (ball._within, 1, {'HOLLOW': ones, 'CENTERS': 4, 'THREADS': 32, 'RUN': 32, 'UNROLLED': 4,
                           'SLOTS': 1 if ones else 8}),
        (boxes._contains, 4, {'POINTS': 32, 'BOXES': 16}),
    ]
    types = {'picked': '*i64', 'offers': '*i64', 'indices': '*i64', 'outer': 'fp32', 'inner': 'fp32', 'output': '*u8'}
    inputs = ('points', 'by_axis', 'by_group', 'by_run', 'nearest', 'queries', 'centers', 'frames')
    pointers = dict.fromkeys(inputs, '*fp32')
    integers = ('num_points', 'num_samples', 'num_boxes', 'k', 'members', 'slices', 'blocks')
    for kernel, num_warps, constants in kernels:
        constants = {**constants, **{name: 1 for name in integers if ones and name in kernel.arg_names}}
        signature = {name: 'constexpr' if name in constants else {**types, **pointers}.get(name, 'i32')
                     for name in kernel.arg_names}
        source = compiler.ASTSource(kernel, signature, constexprs=constants)
        compiled = compiler.compile(
            source, target=target, options={'num_warps': num_warps, 'enable_fp_fusion': False})
        assert 'fma.rn.f32' not in compiled.asm['ptx']
        if kernel is sampling._sample_slice:  # programs that wait for each other must read what others write
            assert 'ld.volatile.global' in compiled.asm['ptx'] and 'bar.' not in compiled.asm['ptx']


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid', 'far'])
@pytest.mark.parametrize(('num_points', 'num_samples'), [(1, 3), (37, 20)])
def test_furthest_point_sample(kind, num_points, num_samples):
    from m2ae_mm.ops import triton as kernels
    points = _cloud(kind, 2, num_points)
    expected = reference.furthest_point_sample(points, num_samples)
    assert torch.equal(kernels.furthest_point_sample(points, num_samples), expected)


@pytest.fixture
def slices_of_64(monkeypatch):
    from m2ae_mm.ops.triton import sampling
    monkeypatch.setattr(sampling, '_LARGEST_IN_REGISTERS', 64)
    monkeypatch.setattr(sampling, '_SLICE', 64)
    return sampling


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
@pytest.mark.parametrize('running', [2, 6])  # three slices a cloud: not one cloud at once, or two
def test_furthest_point_sample_by_slices(kind, running, slices_of_64, monkeypatch):
    monkeypatch.setattr(slices_of_64, '_running_programs', lambda device: running)
    points = _cloud(kind, 3, 150)
    assert torch.equal(slices_of_64.furthest_point_sample(points, 12), reference.furthest_point_sample(points, 12))


@runs_kernels
def test_furthest_point_sample_by_slices_ends(slices_of_64):
    """Programs wait for each other's offers: a cloud of NaN, or one sample only, must not leave any waiting."""
    points = _cloud('random', 2, 130)
    assert slices_of_64.furthest_point_sample(points, 1).tolist() == [[0], [0]]
    points[0] = torch.nan
    points[1, ::3] = torch.nan
    picked = slices_of_64.furthest_point_sample(points, 5)
    assert picked.min() >= 0 and picked.max() < 130


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
@pytest.mark.parametrize(('num_points', 'k'), [(2, 5), (70, 6), (33, 40)])
def test_knn(kind, num_points, k, monkeypatch):
    from m2ae_mm.ops.triton import neighbors
    monkeypatch.setattr(neighbors, '_FEWEST_GROUPS', 4)
    monkeypatch.setattr(neighbors, '_LARGEST_TILE', 32)
    points = _cloud(kind, 2, num_points)
    queries = torch.cat([points[:, :2], _cloud(kind, 2, 9)], 1)
    assert torch.equal(neighbors.knn(queries, points, k), reference.knn(queries, points, k))


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
@pytest.mark.parametrize(('radius', 'min_radius'), [(0.5, 0.), (1.5, 1.)])
def test_ball_query(kind, radius, min_radius, monkeypatch):
    from m2ae_mm.ops.triton import ball
    monkeypatch.setattr(ball, '_THREADS', 4)
    monkeypatch.setattr(ball, '_RUN', 8)
    points = _cloud(kind, 2, 70)
    centers = torch.cat([points[:, :3], _cloud('far', 2, 3)], 1)
    for num_samples in (1, 5, 100):
        expected = reference.ball_query(centers, points, radius, num_samples, min_radius)
        assert torch.equal(ball.ball_query(centers, points, radius, num_samples, min_radius), expected)


@runs_kernels
def test_full_words_of_hits():
    """Every bit of a run's word, the sign bit included; more blocks than a full ball needs."""
    from m2ae_mm.ops import triton as kernels
    points = _cloud('random', 1, 1100)
    for num_samples in (40, 1060):
        expected = reference.ball_query(points[:, :2], points, 2., num_samples, 0.)
        assert torch.equal(kernels.ball_query(points[:, :2], points, 2., num_samples, 0.), expected)


@pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason='sizes for a GPU')
@pytest.mark.parametrize('kind', ['random', 'grid', 'far'])
def test_scenes(kind):
    from m2ae_mm.ops import triton as kernels
    points = _cloud(kind, 2, 20011)
    picked = kernels.furthest_point_sample(points, 300)
    assert torch.equal(picked, reference.furthest_point_sample(points, 300))
    centers = points.gather(1, picked.unsqueeze(2).expand(-1, -1, 3))
    assert torch.equal(kernels.knn(centers, points, 32), reference.knn(centers, points, 32))
    expected = reference.ball_query(centers, points, 0.2, 64, 0.)
    assert torch.equal(kernels.ball_query(centers, points, 0.2, 64, 0.), expected)


@runs_kernels
@pytest.mark.parametrize('num_boxes', [0, 40])
def test_points_in_boxes(num_boxes):
    from m2ae_mm.ops import triton as kernels
    points = _cloud('random', 2, 70)
    frames = torch.rand(2, num_boxes, 8, device=DEVICE).transpose(1, 2)
    frames[:, 3:6] /= 2
    expected = reference.points_in_boxes(points, frames)
    assert torch.equal(kernels.points_in_boxes(points, frames), expected)
    assert num_boxes == 0 or 0 < expected.sum() < expected.numel() / 2


@runs_kernels
def test_points_on_the_faces_of_boxes():
    """Bottom and top are inside, sides are not."""
    from m2ae_mm.ops import triton as kernels
    points = torch.tensor([[[0., 0, 3], [0, 0, -3], [0, 0, 3.1], [1, 0, 0], [0, -2, 0], [0.9, -1.9, 0]]], device=DEVICE)
    frames = torch.tensor([0., 0, 0, 1, 2, 3, 1, 0], device=DEVICE).view(1, 8, 1)
    assert kernels.points_in_boxes(points, frames).flatten().tolist() == [True, True, False, False, False, True]


@runs_kernels
@pytest.mark.parametrize('radius', [0.35, 0.4])
def test_radii_are_squared_before_they_are_rounded(radius):
    """A point as far away as the rounded radius is inside one of 0.35 and outside one of 0.4."""
    from m2ae_mm.ops import triton as kernels
    points = torch.tensor([[[9., 0, 0], [radius, 0, 0]]], device=DEVICE)
    center = torch.zeros(1, 1, 3, device=DEVICE)
    is_inside = radius == 0.35
    assert kernels.ball_query(center, points, radius, 1, 0.).item() == is_inside
    assert kernels.ball_query(center, points, 10., 2, radius).tolist() == [[[0, 0 if is_inside else 1]]]
