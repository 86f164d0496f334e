"""Triton kernels against the reference: interpreted on a CPU, compiled where there is a GPU.

Triton decides at its import whether to interpret, so this file runs itself
again in a process with ``TRITON_INTERPRET=1``.
"""
import os
import subprocess
import sys

import pytest
import torch

from m2ae_mm.ops import reference

pytest.importorskip('triton')
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
DEVICE = 'cpu' if INTERPRETED else 'cuda'
runs_kernels = pytest.mark.skipif(not INTERPRETED and not torch.cuda.is_available(), reason='needs a GPU')


def _cloud(kind, batch, num_points):
    generator = torch.Generator().manual_seed(num_points)
    points = torch.rand(batch, num_points, 3, generator=generator)
    if kind == 'grid':  # many equal distances and duplicates
        points = (points * 3).floor()
    if kind == 'far':
        points = points + 1000
    return points.to(DEVICE)


@pytest.mark.skipif(INTERPRETED, reason='this is the inner run')
def test_kernels_interpreted():
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', __file__]
    result = subprocess.run(command, env={**os.environ, 'TRITON_INTERPRET': '1'}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
    assert '18 passed' in result.stdout


@pytest.mark.skipif(INTERPRETED, reason='interpreted kernels have nothing to compile')
@pytest.mark.parametrize('ones', [False, True])
def test_kernels_compile_without_a_gpu(ones):
    """The interpreter accepts what the compiler's types do not; arguments equal to 1 become constants."""
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton import ball, boxes, neighbors, sampling
    kernels = [
        (sampling._sample_in_registers, {'BLOCK': 256}),
        (sampling._sample_in_chunks, {'CHUNK': 256}),
        (neighbors._nearest, {'SLOTS': 1 if ones else 8, 'BLOCK': 256}),
        (ball._within, {'CENTERS': 4, 'SLOTS': 1 if ones else 8, 'BLOCK': 256}),
        (boxes._contains, {'POINTS': 32, 'BOXES': 16}),
    ]
    types = {'picked': '*i64', 'indices': '*i64', 'outer': 'fp32', 'inner': 'fp32', 'output': '*u8'}
    pointers = dict.fromkeys(('points', 'nearest', 'queries', 'centers', 'frames'), '*fp32')
    for kernel, constants in kernels:
        constants = {**constants, **{name: 1 for name in ('num_points', 'num_samples', 'num_boxes', 'k')
                                     if ones and name in kernel.arg_names}}
        signature = {name: 'constexpr' if name in constants else {**types, **pointers}.get(name, 'i32')
                     for name in kernel.arg_names}
        source = compiler.ASTSource(kernel, signature, constexprs=constants)
        compiled = compiler.compile(source, target=target, options={'num_warps': 4, 'enable_fp_fusion': False})
        assert 'fma.rn.f32' not in compiled.asm['ptx']


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid', 'far'])
@pytest.mark.parametrize(('num_points', 'num_samples'), [(1, 3), (37, 20)])
def test_furthest_point_sample(kind, num_points, num_samples):
    from m2ae_mm.ops import triton as kernels
    points = _cloud(kind, 2, num_points)
    expected = reference.furthest_point_sample(points, num_samples)
    assert torch.equal(kernels.furthest_point_sample(points, num_samples), expected)


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
def test_furthest_point_sample_of_many_points(kind, monkeypatch):
    from m2ae_mm.ops.triton import sampling
    monkeypatch.setattr(sampling, '_LARGEST_IN_REGISTERS', 64)
    monkeypatch.setattr(sampling, '_CHUNK', 64)
    points = _cloud(kind, 2, 150)
    assert torch.equal(sampling.furthest_point_sample(points, 20), reference.furthest_point_sample(points, 20))


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
@pytest.mark.parametrize(('num_points', 'k'), [(2, 5), (70, 6)])
def test_knn(kind, num_points, k, monkeypatch):
    from m2ae_mm.ops.triton import neighbors
    monkeypatch.setattr(neighbors, '_LARGEST_BLOCK', 32)
    points = _cloud(kind, 2, num_points)
    queries = torch.cat([points[:, :2], _cloud(kind, 2, 9)], 1)
    assert torch.equal(neighbors.knn(queries, points, k), reference.knn(queries, points, k))


@runs_kernels
@pytest.mark.parametrize('kind', ['random', 'grid'])
@pytest.mark.parametrize(('radius', 'min_radius'), [(0.5, 0.), (1.5, 1.)])
def test_ball_query(kind, radius, min_radius, monkeypatch):
    from m2ae_mm.ops.triton import ball
    monkeypatch.setattr(ball, '_LARGEST_BLOCK', 32)
    points = _cloud(kind, 2, 70)
    centers = torch.cat([points[:, :3], _cloud('far', 2, 3)], 1)
    for num_samples in (1, 5, 100):
        expected = reference.ball_query(centers, points, radius, num_samples, min_radius)
        assert torch.equal(ball.ball_query(centers, points, radius, num_samples, min_radius), expected)


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
