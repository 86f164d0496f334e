"""Neighbour search against loops in numpy, and the fast paths against the reference."""
import numpy as np
import pytest
import torch
from clouds import KINDS, cloud

from m2ae_mm import ops
from m2ae_mm.ops import reference


def squared_distances(query, points):
    d = query - points
    return d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2]


def brute_force_knn(query, points, k):
    order = sorted(range(len(points)), key=lambda i: (squared_distances(query, points)[i], i))[:k]
    return order + [order[0]] * (k - len(order))


def brute_force_ball(center, points, radius, num_samples, min_radius):
    found = []
    for i, squared in enumerate(squared_distances(center, points)):
        if squared == 0 or np.float32(min_radius**2) <= squared < np.float32(radius**2):
            found.append(i)
    found = found[:num_samples]
    return found + [found[0] if found else 0] * (num_samples - len(found))


def queries_for(kind, points, num_queries):
    """Some of the points themselves, and others."""
    return torch.cat([points[:, :num_queries // 2], cloud(kind, len(points), num_queries, seed=1)], 1)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('num_points', 'k'), [(1, 1), (3, 5), (60, 7), (60, 60)])
def test_knn_matches_brute_force(kind, num_points, k):
    points = cloud(kind, 2, num_points)
    queries = queries_for(kind, points, 8)
    expected = [[brute_force_knn(q, c, k) for q in qs] for qs, c in zip(queries.numpy(), points.numpy())]
    assert ops.knn(queries, points, k).tolist() == expected
    with ops.use_reference():
        assert ops.knn(queries, points, k).tolist() == expected


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('radius', 'min_radius'), [(0.3, 0.), (1.5, 0.), (2., 1.)])
def test_ball_query_matches_brute_force(kind, radius, min_radius):
    points = cloud(kind, 2, 60)
    centers = torch.cat([queries_for(kind, points, 8), torch.full((2, 1, 3), 99.)], 1)
    for num_samples in (1, 8, 70):
        expected = [[brute_force_ball(q, c, radius, num_samples, min_radius) for q in qs]
                    for qs, c in zip(centers.numpy(), points.numpy())]
        assert ops.ball_query(centers, points, radius, num_samples, min_radius).tolist() == expected
        with ops.use_reference():
            assert ops.ball_query(centers, points, radius, num_samples, min_radius).tolist() == expected


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('radius', [0.05, 0.6])  # few points a ball: by tree; many: in order
def test_fast_paths_equal_reference_on_many_leaves(kind, radius):
    points = cloud(kind, 3, 2000)
    queries = queries_for(kind, points, 200)
    nearest, inside = ops.knn(queries, points, 16), ops.ball_query(queries, points, radius, 16)
    with ops.use_reference():
        assert torch.equal(ops.knn(queries, points, 16), nearest)
        assert torch.equal(ops.ball_query(queries, points, radius, 16), inside)


def test_radius_is_exclusive_and_inner_radius_inclusive():
    points = torch.tensor([[[0., 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]])
    center = points[:, :1]
    assert ops.ball_query(center, points, 2., 4).tolist() == [[[0, 1, 0, 0]]]
    assert ops.ball_query(center, points, 3., 4, min_radius=2.).tolist() == [[[0, 2, 0, 0]]]


def test_not_a_number_gives_indices_in_range():
    points = cloud('random', 1, 100)
    points[0, ::7] = float('nan')
    points[0, 3] = float('inf')
    for indices in (ops.knn(points, points, 5), ops.ball_query(points, points, 0.3, 5),
                    ops.furthest_point_sample(points, 50)):
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
    with pytest.raises(ValueError, match='radius=0.2, min_radius=0.3, num_samples=4'):
        ops.ball_query(points, points, 0.2, 4, 0.3)
    with pytest.raises(ValueError, match='radius=0.3, min_radius=0.3, num_samples=4'):
        ops.ball_query(points, points, 0.3, 4, 0.3)
    with pytest.raises(ValueError, match='queries holds no point'):
        ops.knn(points[:, :0], points, 1)


def test_reference_in_blocks_equals_one_block(monkeypatch):
    generator = torch.Generator().manual_seed(5)
    queries, points = torch.rand(2, 11, 3, generator=generator), torch.rand(2, 50, 3, generator=generator)
    whole = reference.knn(queries, points, 4), reference.ball_query(queries, points, 0.3, 5, 0.)
    monkeypatch.setattr(reference, '_PAIRS_AT_ONCE', 300)  # three queries of two clouds at a time
    assert torch.equal(reference.knn(queries, points, 4), whole[0])
    assert torch.equal(reference.ball_query(queries, points, 0.3, 5, 0.), whole[1])
