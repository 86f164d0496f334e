"""Squared distances and Chamfer distance against loops in numpy, and their gradients."""
import numpy as np
import pytest
import torch
from clouds import cloud

from m2ae_mm import ops


def brute_force_chamfer(a, b):
    to_b = np.mean([min(((p - q)**2).sum() for q in b) for p in a])
    to_a = np.mean([min(((p - q)**2).sum() for p in a) for q in b])
    return to_b + to_a


@pytest.mark.parametrize('sizes', [(1, 1), (5, 9), (8, 3)])
def test_chamfer_matches_brute_force(sizes):
    a, b = cloud('random', 3, sizes[0]), cloud('random', 3, sizes[1], seed=1)
    expected = [brute_force_chamfer(x, y) for x, y in zip(a.numpy(), b.numpy())]
    assert ops.chamfer_distance(a, b).numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_chamfer_of_equal_sets_is_exactly_zero_far_away():
    points = cloud('far', 2, 10)
    shuffled = points[:, torch.randperm(10)]
    assert ops.chamfer_distance(points, shuffled).tolist() == [0., 0.]


def test_chamfer_gradient_by_hand():
    """One prediction at x = 3 for targets at 1 and 2: its step is 2 (3 - 2) + [2 (3 - 1) + 2 (3 - 2)] / 2."""
    prediction = torch.tensor([[[3., 0, 0]]], requires_grad=True)
    ops.chamfer_distance(prediction, torch.tensor([[[1., 0, 0], [2, 0, 0]]])).sum().backward()
    assert prediction.grad.tolist() == [[[5., 0., 0.]]]


def test_chamfer_stays_in_float32():
    half = (cloud('random', 1, 4) * 100).half()
    assert ops.chamfer_distance(half, half + 3).dtype == torch.float32
    with pytest.raises(ValueError, match=r'target must have shape \(B, N, 3\), got \(1, 4, 2\)'):
        ops.chamfer_distance(half, half[..., :2])
    with pytest.raises(ValueError, match=r'differ in the number of sets: \(1, 4, 3\) and \(3, 4, 3\)'):
        ops.chamfer_distance(torch.rand(1, 4, 3), torch.rand(3, 4, 3))


def test_squared_distances_of_double_stay_double():
    a, b = cloud('far', 1, 3).double(), cloud('far', 1, 4, seed=1).double()
    assert torch.allclose(ops.squared_distances(a, b), torch.cdist(a, b)**2)
    assert ops.squared_distances(a, b).dtype == torch.double
