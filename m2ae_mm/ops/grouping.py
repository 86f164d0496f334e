"""Gathering by index and inverse-distance interpolation."""
import torch
from torch import Tensor

from .neighbors import three_nn


def gather(values: Tensor, indices: Tensor) -> Tensor:
    """Rows of ``values`` by index, for any shape of indices per cloud.

    Args:
        values: ``(B, N, C)``.
        indices: ``(B, ...)`` int64, e.g. ``(B, M)`` or ``(B, M, k)``.

    Returns:
        ``(B, ..., C)``; gradients flow to ``values``.
    """
    batch, _, channels = values.shape
    flat = indices.reshape(batch, -1, 1).expand(-1, -1, channels)
    return values.gather(1, flat).view(*indices.shape, channels)


def interpolate(queries: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Inverse-squared-distance mean of the three nearest points' values.

    PointNet++ feature propagation (section 3.4 there): weights 1 / (d^2 + 1e-8),
    normalised to sum 1.

    Args:
        queries: ``(B, M, 3)`` where values are wanted.
        points: ``(B, N, 3)`` where they are known.
        values: ``(B, N, C)``.

    Returns:
        ``(B, M, C)`` in the dtype of ``values``; gradients flow to ``values``.
    """
    squared, indices = three_nn(queries, points)
    weights = 1. / (squared + 1e-8)
    weights = weights / weights.sum(-1, keepdim=True)
    return weighted_sum(values, indices, weights)


def weighted_sum(values: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """``(B, M, C)``: sum over the last axis of ``weights * values[indices]``.

    Args:
        values: ``(B, N, C)``.
        indices: ``(B, M, k)`` int64.
        weights: ``(B, M, k)``.
    """
    return torch.einsum('bmk,bmkc->bmc', weights.to(values.dtype), gather(values, indices))
