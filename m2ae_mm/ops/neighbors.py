"""Neighbour search: k nearest, within a ball, three nearest."""
import torch
from torch import Tensor

from . import dispatch
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
    return dispatch.knn(queries.detach().float(), points.detach().float(), k)


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
    return dispatch.ball_query(centers.detach().float(), points.detach().float(), radius, num_samples, min_radius)


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


def _check_pair(queries: Tensor, points: Tensor) -> None:
    check_points(queries, 'queries')
    check_points(points, 'points')
    if queries.shape[0] != points.shape[0]:
        raise ValueError(f'queries and points differ in batch size: {tuple(queries.shape)} and {tuple(points.shape)}.')
