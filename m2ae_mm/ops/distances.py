"""Squared distances and the Chamfer distance."""
import torch
from torch import Tensor

from .dispatch import check_points

_PAIRS_AT_ONCE = 1 << 22


def squared_distances(queries: Tensor, points: Tensor) -> Tensor:
    """``(B, M, N)`` squared distances from differences, summed x + y + z.

    Unlike the expansion ``|a|^2 - 2ab + |b|^2`` this is exact for equal points
    and never negative. In float32, or wider if the input is. All kernels sum
    in this order and without fused multiply-add, so that they agree on which
    of two almost equally far points is nearer.
    """
    dtype = torch.promote_types(queries.dtype, torch.float32)
    queries, points = queries.to(dtype), points.to(dtype)
    x, y, z = ((queries[:, :, None, axis] - points[:, None, :, axis]).square() for axis in range(3))
    return x + y + z


def block_size(others: int) -> int:
    """How many items to pair with ``others`` at a time: all pairs of a scene at once would take several GB."""
    return max(_PAIRS_AT_ONCE // max(others, 1), 1)


def chamfer_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared-L2 Chamfer distance per pair of point sets.

    Mean over the points of each direction, the two directions summed (paper
    section 3.3; always in float32).

    Args:
        prediction: ``(T, P, 3)``.
        target: ``(T, Q, 3)``.

    Returns:
        ``(T,)`` distances with gradients to both.

    Raises:
        ValueError: If the shapes are others, or differ in T.
    """
    check_points(prediction, 'prediction')
    check_points(target, 'target')
    if len(prediction) != len(target):
        raise ValueError(f'prediction and target differ in the number of sets: {tuple(prediction.shape)} and '
                         f'{tuple(target.shape)}.')
    squared = squared_distances(prediction.float(), target.float())
    return squared.amin(2).mean(1) + squared.amin(1).mean(1)
