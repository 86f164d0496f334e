"""Furthest point sampling against loops in numpy, and the kernels against the reference."""
import numpy as np
import pytest
import torch
from clouds import KINDS, cloud
from interpreted import DEVICE, compile_kernel, compiles_kernels, every_kernel, every_path, full_size, runs_kernels

from m2ae_mm import ops
from m2ae_mm.ops.sampling import _furthest_point_sample


def brute_force(points, num_samples):
    picked, nearest = [0], np.full(len(points), np.inf, np.float32)
    for _ in range(num_samples - 1):
        for i, point in enumerate(points):
            d = point - points[picked[-1]]
            nearest[i] = min(nearest[i], d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
        picked.append(int(np.argmax(nearest)))  # the first of equal ones
    return picked


@every_path
@pytest.mark.parametrize('kind, num_points, num_samples', [
    *((kind, 130, 40) for kind in KINDS), ('random', 1, 4), ('random', 3, 3), ('equal', 3, 3)])
def test_matches_brute_force(kind, num_points, num_samples, device):
    points = cloud(kind, 2, num_points)
    expected = [brute_force(one.numpy(), num_samples) for one in points]
    assert ops.furthest_point_sample(points.to(device), num_samples).tolist() == expected


@full_size
@every_kernel
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('num_points', 'num_samples'), [(3000, 300), (20011, 30)])
def test_equals_the_reference_at_full_size(kind, num_points, num_samples, device):
    points = cloud(kind, 3, num_points).to(device)
    picked = ops.furthest_point_sample(points, num_samples)
    with ops.use_reference():
        assert torch.equal(ops.furthest_point_sample(points, num_samples), picked)


def test_keeps_the_promises_of_an_operator():
    torch.library.opcheck(_furthest_point_sample, (cloud('random', 2, 40), 7))


def test_non_contiguous_double_and_grad_input():
    points = cloud('random', 2, 90)
    strided = points.transpose(1, 2).contiguous().transpose(1, 2).double().requires_grad_()
    picked = ops.furthest_point_sample(strided, 20)
    assert torch.equal(picked, ops.furthest_point_sample(points, 20))
    assert picked.dtype == torch.int64 and not picked.requires_grad


@every_kernel
def test_not_a_number_gives_indices_in_range(device):
    points = cloud('random', 1, 100).to(device)
    points[0, ::7] = float('nan')
    points[0, 3] = float('inf')
    picked = ops.furthest_point_sample(points, 50)
    assert picked.min() >= 0 and picked.max() < 100


@pytest.mark.parametrize(('shape', 'num_samples', 'message'), [
    ((5, 3), 2, r'points must have shape \(B, N, 3\), got \(5, 3\)'),
    ((1, 5, 4), 2, r'got \(1, 5, 4\)'),
    ((2, 0, 3), 2, 'holds no point'),
    ((2, 5, 3), 0, 'num_samples must be at least 1, got 0'),
])
def test_bad_input(shape, num_samples, message):
    with pytest.raises(ValueError, match=message):
        ops.furthest_point_sample(torch.zeros(shape), num_samples)


@pytest.fixture
def slices_of_64(monkeypatch):
    from m2ae_mm.ops.sampling import gpu
    monkeypatch.setattr(gpu, '_LARGEST_IN_REGISTERS', 64)
    monkeypatch.setattr(gpu, '_SLICE', 64)
    return gpu


@runs_kernels
@pytest.mark.parametrize('kind, running', [('random', 2), ('grid', 6)])  # of three slices a cloud
def test_by_slices(kind, running, slices_of_64, monkeypatch):
    monkeypatch.setattr(slices_of_64, '_running_programs', lambda device: running)
    points = cloud(kind, 3, 150).to(DEVICE)
    with ops.use_reference():
        expected = ops.furthest_point_sample(points, 12)
    assert torch.equal(slices_of_64.furthest_point_sample(points, 12), expected)


@runs_kernels
def test_by_slices_ends(slices_of_64):
    """Programs wait for each other's offers: a cloud of NaN, or one sample only, must not leave any waiting."""
    points = cloud('random', 2, 130).to(DEVICE)
    assert slices_of_64.furthest_point_sample(points, 1).tolist() == [[0], [0]]
    points[0] = torch.nan
    points[1, ::3] = torch.nan
    picked = slices_of_64.furthest_point_sample(points, 5)
    assert picked.min() >= 0 and picked.max() < 130


@compiles_kernels
@pytest.mark.parametrize('ones', [False, True])
def test_kernels_compile_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    from m2ae_mm.ops.sampling import gpu
    types = dict(points='*fp32', nearest='*fp32', picked='*i64', offers='*i64')
    constants = dict(BLOCK=256, SLOTS=32, SLICE=256, **dict(num_points=1, num_samples=1, slices=1) if ones else {})
    for kernel, warps in ((gpu._sample_in_registers, 4), (gpu._sample_slice, 1)):
        ptx = compile_kernel(kernel, types, constants, num_warps=warps, enable_fp_fusion=False).asm['ptx']
        assert 'fma.rn.f32' not in ptx
    # Programs that wait for each other must read what others write.
    assert 'ld.volatile.global' in ptx and 'bar.' not in ptx
