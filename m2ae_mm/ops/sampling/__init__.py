"""Furthest point sampling."""
import torch
from torch import Tensor

from ..dispatch import check_points, operator
from ..distances import squared_distances


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
    return _furthest_point_sample(points.detach().float(), num_samples)


@operator('cpu', 'cuda')
def _furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    batch, num_points, _ = points.shape
    indices = torch.zeros(batch, num_samples, dtype=torch.long, device=points.device)
    nearest = torch.full((batch, 1, num_points), torch.inf, device=points.device)
    rows = torch.arange(batch, device=points.device)
    last = indices[:, 0]
    for i in range(1, num_samples):
        nearest = torch.minimum(nearest, squared_distances(points[rows, last].unsqueeze(1), points))
        last = nearest.argmax(2).squeeze(1)
        indices[:, i] = last
    return indices


@_furthest_point_sample.register_fake
def _(points: Tensor, num_samples: int) -> Tensor:
    return points.new_empty((points.shape[0], num_samples), dtype=torch.long)
