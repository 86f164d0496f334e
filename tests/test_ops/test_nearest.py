"""k nearest points against loops in numpy, and the kernels against the reference."""
import numpy as np
import pytest
import torch
from clouds import KINDS, cloud, queries_for, squared_distances
from interpreted import compile_kernel, compiles_kernels, every_kernel, every_path, full_size

from m2ae_mm import ops
from m2ae_mm.ops.nearest import _knn


def brute_force(query, points, k):
    order = np.argsort(squared_distances(query, points), kind='stable')[:k].tolist()
    return order + [order[0]] * (k - len(order))


@every_path
@pytest.mark.parametrize('kind, num_points, k', [
    *((kind, 130, 7) for kind in KINDS), ('random', 1, 1), ('random', 3, 5), ('grid', 3, 5), ('grid', 60, 60)])
def test_matches_brute_force(kind, num_points, k, device, monkeypatch):
    monkeypatch.setattr('m2ae_mm.ops.distances._PAIRS_AT_ONCE', 300)  # a query at a time, or a few
    points = cloud(kind, 2, num_points)
    queries = queries_for(kind, points, 8)
    expected = [[brute_force(q, c, k) for q in qs] for qs, c in zip(queries.numpy(), points.numpy())]
    assert ops.knn(queries.to(device), points.to(device), k).tolist() == expected


@full_size
@every_kernel
@pytest.mark.parametrize('kind', KINDS)
def test_equals_the_reference_at_full_size(kind, device):
    points = cloud(kind, 3, 2000).to(device)
    queries = queries_for(kind, points, 200)
    found = ops.knn(queries, points, 16)
    with ops.use_reference():
        assert torch.equal(ops.knn(queries, points, 16), found)


def test_keeps_the_promises_of_an_operator():
    points = cloud('random', 2, 40)
    torch.library.opcheck(_knn, (points[:, :5], points, 3))


@every_path
def test_no_cloud_at_all_is_fine(device):
    assert ops.knn(torch.rand(0, 4, 3, device=device), torch.rand(0, 5, 3, device=device), 2).shape == (0, 4, 2)


@every_kernel
def test_not_a_number_gives_indices_in_range(device):
    points = cloud('random', 1, 100).to(device)
    points[0, ::7] = float('nan')
    points[0, 3] = float('inf')
    indices = ops.knn(points, points, 5)
    assert indices.min() >= 0 and indices.max() < 100


def test_three_nn_values_and_gradient():
    points = torch.tensor([[[0., 0, 0], [1, 0, 0], [3, 0, 0], [9, 0, 0]]], requires_grad=True)
    squared, indices = ops.three_nn(torch.tensor([[[2., 0, 0]]]), points)
    assert indices.tolist() == [[[1, 2, 0]]] and squared.tolist() == [[[1., 1., 4.]]]
    squared.sum().backward()
    assert points.grad[0, :, 0].tolist() == [-4., -2., 2., 0.]


def test_bad_input():
    points = torch.zeros(2, 5, 3)
    with pytest.raises(ValueError, match=r'differ in batch size: \(1, 5, 3\) and \(2, 5, 3\)'):
        ops.knn(points[:1], points, 2)
    with pytest.raises(ValueError, match='k must be at least 1, got 0'):
        ops.knn(points, points, 0)
    with pytest.raises(ValueError, match='queries holds no point'):
        ops.knn(points[:, :0], points, 1)


@compiles_kernels
@pytest.mark.parametrize('ones', [False, True])
def test_kernel_compiles_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    from m2ae_mm.ops.nearest.gpu import _nearest
    types = dict(dict.fromkeys(('queries', 'by_group', 'by_axis'), '*fp32'), indices='*i64')
    constants = dict(QUERIES=8, GROUPS=64, MEMBERS=32)
    if ones:
        constants = dict(QUERIES=1, GROUPS=64, MEMBERS=1, num_points=1, k=1, members=1)
    compiled = compile_kernel(_nearest, types, constants, num_warps=1, enable_fp_fusion=False)
    assert 'fma.rn.f32' not in compiled.asm['ptx']
