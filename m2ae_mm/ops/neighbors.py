"""Neighbour search: k nearest, within a ball, three nearest."""
import torch
from torch import Tensor

from .checks import check_points


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """Indices of the ``k`` nearest points of each query.

    Nearest first; equally near points in index order. With fewer than ``k``
    points the nearest one fills the remaining slots.

    Args:
        queries: ``(B, M, 3)``.
        points: ``(B, N, 3)``.
        k: Neighbours per query, at least 1.

    Returns:
        ``(B, M, k)`` int64 indices into ``points``.
    """
    _check_pair(queries, points)
    if k < 1:
        raise ValueError(f'k must be at least 1, got {k}.')
    return knn_reference(queries.detach().float(), points.detach().float(), k)


def knn_reference(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """All pairwise distances, ties broken by index; see :func:`knn`."""
    squared = squared_distances(queries, points)
    found = min(k, points.shape[1])
    # A non-negative float32 sorts like its bit pattern, so distance and index
    # fit one integer key whose smallest values are unique.
    bits = squared.contiguous().view(torch.int32).long()
    keys = (bits << 32) | torch.arange(points.shape[1], device=points.device)
    indices = keys.topk(found, largest=False, sorted=True).values & 0xFFFFFFFF
    if found < k:
        indices = torch.cat([indices, indices[..., :1].expand(-1, -1, k - found)], -1)
    return indices


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float = 0.) -> Tensor:
    """First ``num_samples`` points, in index order, closer than ``radius``.

    Slots that stay empty repeat the first point found; a ball without any
    point is filled with index 0 (the semantics of PointNet++ and mmcv).

    Args:
        centers: ``(B, M, 3)``.
        points: ``(B, N, 3)``.
        radius: Exclusive outer radius, in the unit of the points.
        num_samples: Points per ball.
        min_radius: Inclusive inner radius; a point at distance 0 always
            counts (mmcv's rule).

    Returns:
        ``(B, M, num_samples)`` int64 indices into ``points``.
    """
    _check_pair(centers, points)
    if radius <= min_radius or num_samples < 1:
        raise ValueError(f'need radius > min_radius and num_samples >= 1, got radius={radius}, '
                         f'min_radius={min_radius}, num_samples={num_samples}.')
    return ball_query_reference(centers.detach().float(), points.detach().float(), radius, num_samples, min_radius)


def ball_query_reference(centers: Tensor, points: Tensor, radius: float, num_samples: int,
                         min_radius: float = 0.) -> Tensor:
    """All pairwise distances; see :func:`ball_query`."""
    squared = squared_distances(centers, points)
    inside = (squared < radius**2) & ((squared >= min_radius**2) | (squared == 0))
    num_points = points.shape[1]
    order = torch.arange(num_points, device=points.device)
    candidates = torch.where(inside, order, num_points)
    found = candidates.topk(min(num_samples, num_points), largest=False, sorted=True).values
    if found.shape[-1] < num_samples:
        fill = found.new_full((*found.shape[:-1], num_samples - found.shape[-1]), num_points)
        found = torch.cat([found, fill], -1)
    first = found[..., :1]
    first = torch.where(first == num_points, 0, first)
    return torch.where(found == num_points, first, found)


def three_nn(queries: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Three nearest points of each query.

    With fewer than three points the nearest one fills the remaining slots.

    Args:
        queries: ``(B, M, 3)``.
        points: ``(B, N, 3)``.

    Returns:
        Squared distances ``(B, M, 3)`` float32 and indices ``(B, M, 3)`` int64.
    """
    indices = knn(queries, points, 3)
    batch = torch.arange(points.shape[0], device=points.device).view(-1, 1, 1)
    nearest = points.float()[batch, indices]
    squared = (queries.float().unsqueeze(2) - nearest).square().sum(-1)
    return squared, indices


def squared_distances(queries: Tensor, points: Tensor) -> Tensor:
    """``(B, M, N)`` squared distances from differences, summed x + y + z.

    Unlike the expansion ``|a|^2 - 2ab + |b|^2`` this is exact for equal points
    and never negative.
    """
    result = torch.zeros(queries.shape[0], queries.shape[1], points.shape[1], device=points.device)
    for axis in range(3):
        result += (queries[:, :, None, axis] - points[:, None, :, axis]).square()
    return result


def _check_pair(queries: Tensor, points: Tensor) -> None:
    check_points(queries, 'queries')
    check_points(points, 'points')
    if queries.shape[0] != points.shape[0]:
        raise ValueError(f'queries and points differ in batch size: {tuple(queries.shape)} and {tuple(points.shape)}.')
