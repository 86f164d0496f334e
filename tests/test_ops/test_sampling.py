"""Furthest point sampling against loops in numpy, and the fast path against the reference."""
import numpy as np
import pytest
import torch
from clouds import KINDS, cloud

from m2ae_mm import ops


def brute_force(points, num_samples):
    picked, nearest = [0], np.full(len(points), np.inf, np.float32)
    for _ in range(num_samples - 1):
        for i, point in enumerate(points):
            d = point - points[picked[-1]]
            nearest[i] = min(nearest[i], d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
        picked.append(int(np.argmax(nearest)))  # the first of equal ones
    return picked


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('num_points', 'num_samples'), [(1, 4), (3, 3), (130, 40)])
def test_matches_brute_force(kind, num_points, num_samples):
    points = cloud(kind, 2, num_points)
    expected = torch.tensor([brute_force(one.numpy(), num_samples) for one in points])
    assert torch.equal(ops.furthest_point_sample(points, num_samples), expected)
    with ops.use_reference():
        assert torch.equal(ops.furthest_point_sample(points, num_samples), expected)


@pytest.mark.parametrize('kind', KINDS)
def test_fast_path_equals_reference_on_many_leaves(kind):
    points = cloud(kind, 3, 3000)
    fast = ops.furthest_point_sample(points, 300)
    with ops.use_reference():
        assert torch.equal(ops.furthest_point_sample(points, 300), fast)


def test_known_corners():
    """From a corner of a square, the opposite one comes next, then the lower index of the two left."""
    square = torch.tensor([[[0., 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]])
    assert ops.furthest_point_sample(square, 4).tolist() == [[0, 3, 1, 2]]


def test_index_zero_repeats_when_distinct_points_run_out():
    points = torch.tensor([[[0., 0, 0], [0, 0, 0], [2, 0, 0], [2, 0, 0]]])
    assert ops.furthest_point_sample(points, 5).tolist() == [[0, 2, 0, 0, 0]]


def test_clouds_of_a_batch_are_independent():
    points = cloud('random', 5, 200)
    together = ops.furthest_point_sample(points, 30)
    assert torch.equal(together, torch.cat([ops.furthest_point_sample(one[None], 30) for one in points]))


def test_non_contiguous_double_and_grad_input():
    points = cloud('random', 2, 90)
    strided = points.transpose(1, 2).contiguous().transpose(1, 2).double().requires_grad_()
    picked = ops.furthest_point_sample(strided, 20)
    assert torch.equal(picked, ops.furthest_point_sample(points, 20))
    assert picked.dtype == torch.int64 and not picked.requires_grad


@pytest.mark.parametrize(('shape', 'num_samples', 'message'), [
    ((5, 3), 2, r'points must have shape \(B, N, 3\), got \(5, 3\)'),
    ((1, 5, 4), 2, r'got \(1, 5, 4\)'),
    ((2, 0, 3), 2, 'holds no point'),
    ((2, 5, 3), 0, 'num_samples must be at least 1, got 0'),
])
def test_bad_input(shape, num_samples, message):
    with pytest.raises(ValueError, match=message):
        ops.furthest_point_sample(torch.zeros(shape), num_samples)
