"""Input checks shared by the operators."""
from collections.abc import Callable

import torch
from torch import Tensor


def check_points(points: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless ``points`` is ``(B, N, 3)`` with N >= 1."""
    if points.dim() != 3 or points.shape[-1] != 3:
        raise ValueError(f'{name} must have shape (B, N, 3), got {tuple(points.shape)}.')
    if points.shape[1] == 0:
        raise ValueError(f'{name} holds no point: shape {tuple(points.shape)}.')


def check_pair(queries: Tensor, points: Tensor) -> None:
    """:func:`check_points` of both, and whether they are as many clouds."""
    check_points(queries, 'queries')
    check_points(points, 'points')
    if queries.shape[0] != points.shape[0]:
        raise ValueError(f'queries and points differ in batch size: {tuple(queries.shape)} and {tuple(points.shape)}.')


def check_finite(points: Tensor, name: str, owner: Callable[[int], str] | None = None) -> None:
    """Raise ``ValueError`` if ``points`` holds NaN or infinity.

    For the entry of a model, once per batch: it makes the host wait for a GPU.
    The operators themselves do not check; NaN there gives valid but
    meaningless indices. While torch.compile traces, nothing is checked.

    Args:
        points: Any shape, the last axis one point.
        name: What to call it in the message.
        owner: What to call an entry of the first axis, asked only for the message.
    """
    # Only a finite sum proves all finite, yet a sum is much cheaper than a
    # mask; the rare overflow of finite values is sorted out below.
    if torch.compiler.is_compiling() or points.sum().isfinite():
        return
    broken = ~points.isfinite().all(-1)
    if broken.any():
        where = tuple(broken.nonzero()[0].tolist())
        place = f'{where} of {owner(where[0])}' if owner else f'{where}'
        raise ValueError(f'{name} holds {int(broken.sum())} points with NaN or infinity, the first at {place}: '
                         f'{points[where].tolist()}. Remove such points from the data.')
