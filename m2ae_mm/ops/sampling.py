"""Furthest point sampling."""
from torch import Tensor

from . import dispatch
from .checks import check_points


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """Pick points one by one, each the furthest from all picked before.

    Starts at index 0; of equally far points the lowest index is taken, so the
    result is deterministic. When ``num_samples`` exceeds the number of
    distinct points, every distance is 0 from then on and index 0 is repeated.

    Args:
        points: ``(B, N, 3)`` coordinates, any unit.
        num_samples: Number of points to pick per cloud, at least 1.

    Returns:
        ``(B, num_samples)`` int64 indices into ``points``.

    Raises:
        ValueError: If ``points`` has another shape or holds no point, or
            ``num_samples`` is below 1.
    """
    check_points(points, 'points')
    if num_samples < 1:
        raise ValueError(f'num_samples must be at least 1, got {num_samples}.')
    return dispatch.furthest_point_sample(points.detach().float(), num_samples)
