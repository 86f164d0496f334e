"""Points within a ball around each centre."""
import torch
from torch import Tensor

from ..dispatch import check_pair, operator
from ..distances import block_size, squared_distances


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

    Raises:
        ValueError: If the shapes are others, a cloud holds no point, the radii
            leave no room, or ``num_samples`` is below 1.
    """
    check_pair(centers, points)
    if radius <= min_radius or num_samples < 1:
        raise ValueError(f'need radius > min_radius and num_samples >= 1, got radius={radius}, '
                         f'min_radius={min_radius}, num_samples={num_samples}.')
    return _ball_query(centers.detach().float(), points.detach().float(), radius, num_samples, min_radius)


@operator('cpu', 'cuda')
def _ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    batch, num_points, _ = points.shape
    order, indices = torch.arange(num_points, device=points.device), []
    for block in centers.split(block_size(batch * num_points), 1):
        squared = squared_distances(block, points)
        inside = (squared < radius**2) & ((squared >= min_radius**2) | (squared == 0))
        candidates = torch.where(inside, order, num_points)
        indices.append(candidates.topk(min(num_samples, num_points), largest=False, sorted=True).values)
    found = torch.cat(indices, 1)
    empty = found.new_full((*found.shape[:-1], num_samples - found.shape[-1]), num_points)
    found = torch.cat([found, empty], -1)
    first = found[..., :1]
    first = torch.where(first == num_points, 0, first)
    return torch.where(found == num_points, first, found)


@_ball_query.register_fake
def _(centers: Tensor, _points: Tensor, _radius: float, num_samples: int, _min_radius: float) -> Tensor:
    return centers.new_empty((*centers.shape[:2], num_samples), dtype=torch.long)
