"""Gathering and interpolation against loops in numpy, and their gradients."""
import numpy as np
import pytest
import torch
from clouds import cloud

from m2ae_mm import ops


@pytest.mark.parametrize('shape', [(2, 5), (2, 5, 4), (2, 3, 2, 2)])
def test_gather(shape):
    values = torch.rand(2, 7, 3)
    indices = torch.randint(0, 7, shape)
    expected = np.stack([values[b].numpy()[indices[b].numpy()] for b in range(2)])
    assert np.array_equal(ops.gather(values, indices).numpy(), expected)


def test_clouds_must_be_as_many():
    with pytest.raises(ValueError, match=r'got \(2, 7, 3\) and \(1, 5\)'):
        ops.gather(torch.rand(2, 7, 3), torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match=r'values .* as many as points .* got \(2, 8, 4\) and \(2, 5, 3\)'):
        ops.interpolate(torch.rand(2, 6, 3), torch.rand(2, 5, 3), torch.rand(2, 8, 4))


def test_no_cloud_at_all_is_fine():
    points, queries = torch.rand(0, 5, 3), torch.rand(0, 4, 3)
    assert ops.interpolate(queries, points, torch.rand(0, 5, 7)).shape == (0, 4, 7)


def test_gather_gradient_counts_repeats():
    values = torch.zeros(1, 3, 2, requires_grad=True)
    ops.gather(values, torch.tensor([[2, 0, 2, 2]])).sum().backward()
    assert values.grad[0, :, 0].tolist() == [1., 0., 3.]


def test_interpolate_matches_brute_force():
    points, queries, values = cloud('random', 2, 20), cloud('random', 2, 9, seed=1), torch.rand(2, 20, 4)
    result = ops.interpolate(queries, points, values).numpy()
    for b in range(2):
        for m in range(9):
            squared = ((queries[b, m] - points[b]).numpy()**2).sum(-1)
            nearest = np.argsort(squared)[:3]
            weights = 1 / (squared[nearest] + 1e-8)
            expected = (weights[:, None] * values[b].numpy()[nearest]).sum(0) / weights.sum()
            assert result[b, m] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('num_points', [1, 2])
def test_interpolate_with_fewer_than_three_points(num_points):
    values = torch.full((1, num_points, 2), 5.)
    result = ops.interpolate(cloud('random', 1, 4), cloud('random', 1, num_points, seed=1), values)
    assert torch.allclose(result, torch.full((1, 4, 2), 5.))


def test_weighted_sum_gradients_and_dtype():
    indices = torch.tensor([[[0, 2, 1], [2, 2, 0]]])
    values = torch.rand(1, 3, 2, dtype=torch.double, requires_grad=True)
    weights = torch.rand(1, 2, 3, dtype=torch.double, requires_grad=True)
    expected = (weights.unsqueeze(-1) * ops.gather(values, indices)).sum(2)
    assert torch.allclose(ops.weighted_sum(values, indices, weights), expected)
    assert torch.autograd.gradcheck(lambda v, w: ops.weighted_sum(v, indices, w), (values, weights))
    with torch.autocast('cpu', torch.bfloat16):
        assert ops.weighted_sum(values.float(), indices, weights).dtype == torch.float32


@pytest.mark.parametrize('k, channels, most_bytes, expected', [
    (16, 512, 2**23, [256, 256, 88]),  # 4,096 members of 2 KiB fill 8 MiB
    (8, 192, 2**23, [600]),  # 10,922 would, 10,752 are a multiple of 512: 1,344 groups
    (8, 192, 2**21, [320, 280]),  # 2,730 would, 2,560 are
    (5, 16, 3 * 5 * 4 * 16, [3] * 200),  # fewer than 512 members
    (16, 512, 1, [1] * 600),
])
def test_split_groups(k, channels, most_bytes, expected):
    groups = torch.arange(600.).view(-1, 1, 1).expand(-1, k, 3)
    parts = ops.split_groups(groups, channels, most_bytes)
    assert [len(part) for part in parts] == expected
    assert torch.equal(torch.cat(parts), groups)
