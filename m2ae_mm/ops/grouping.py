"""Gathering by index and inverse-distance interpolation."""
import functools

import torch
from torch import Tensor

from .nearest import three_nn

# Products of a multiple of so many rows may take a library that prepares itself for every number (linear/cpu.py).
ROUND_ROWS = 512


def gather(values: Tensor, indices: Tensor) -> Tensor:
    """Rows of ``values`` by index, for any shape of indices per cloud.

    Args:
        values: ``(B, N, C)``.
        indices: ``(B, ...)`` int64, e.g. ``(B, M)`` or ``(B, M, k)``, from 0
            to N - 1; a check would make a GPU wait, so there is none, and
            others read rows of other clouds.

    Returns:
        ``(B, ..., C)``; gradients flow to ``values``.

    Raises:
        ValueError: If there are not as many clouds of indices as of values.
    """
    if values.dim() != 3 or indices.shape[:1] != values.shape[:1]:
        raise ValueError(f'values must have shape (B, N, C) and indices (B, ...), got {tuple(values.shape)} and '
                         f'{tuple(indices.shape)}.')
    batch, num_points, channels = values.shape
    # Whole rows of the joined clouds: several times faster than torch.gather,
    # which reads one index per channel.
    first_row = torch.arange(batch, device=indices.device) * num_points
    rows = indices + first_row.view(-1, *[1] * (indices.dim() - 1))
    return values.flatten(0, 1).index_select(0, rows.flatten()).view(*indices.shape, channels)


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

    Raises:
        ValueError: If there are not as many values as points.
    """
    if values.shape[:2] != points.shape[:2]:
        raise ValueError(f'values (B, N, C) must be as many as points (B, N, 3), got {tuple(values.shape)} and '
                         f'{tuple(points.shape)}.')
    squared, indices = three_nn(queries, points)
    weights = 1. / (squared + 1e-8)
    weights = weights / weights.sum(-1, keepdim=True)
    return weighted_sum(values, indices, weights)


def split_groups(groups: Tensor, channels: int, most_bytes: int) -> tuple[Tensor, ...]:
    """Groups in parts that a cache holds, all but the last of one size and of a round number of members.

    Args:
        groups: ``(T, k, C)``.
        channels: Width of the widest activation, float32.
        most_bytes: That it may take in a part.

    Returns:
        Views ``(t, k, C)``.
    """
    members = most_bytes // (4 * channels)
    if members > ROUND_ROWS:
        members -= members % ROUND_ROWS
    return groups.split(max(members // groups.shape[1], 1))


def weighted_sum(values: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """``(B, M, C)``: sum over the last axis of ``weights * values[indices]``.

    Args:
        values: ``(B, N, C)``.
        indices: ``(B, M, k)`` int64.
        weights: ``(B, M, k)``.
    """
    # One neighbour at a time keeps (B, M, k, C) out of memory, and unlike
    # einsum stays in the dtype of values under automatic mixed precision.
    weights = weights.to(values.dtype)
    terms = (gather(values, indices[..., i]) * weights[..., i, None] for i in range(indices.shape[-1]))
    return functools.reduce(torch.add, terms)
