"""Clouds that operators get wrong when they are careless."""
import torch
from torch import Tensor

KINDS = ('random', 'grid', 'equal', 'line', 'far', 'spread')


def cloud(kind: str, batch: int, num_points: int, seed: int = 0) -> Tensor:
    """``(batch, num_points, 3)`` float32.

    ``grid`` has equal distances and duplicates, ``equal`` one point only,
    ``far`` coordinates that leave few bits for differences, ``spread`` sizes
    from 1e-12 to 1, so that halving peels off one point at a time.
    """
    generator = torch.Generator().manual_seed(1000 * seed + num_points)
    points = torch.rand(batch, num_points, 3, generator=generator)
    if kind == 'grid':
        points = (points * 4).floor()
    elif kind == 'equal':
        points = torch.ones_like(points)
    elif kind == 'line':
        points[..., 1:] = 0.5
    elif kind == 'far':
        points = points + torch.tensor([1000., -5000., 100.])
    elif kind == 'spread':
        points = 10.**(-12 * points)
    return points


def queries_for(kind: str, points: Tensor, num_queries: int) -> Tensor:
    """Some of the points themselves, and others."""
    return torch.cat([points[:, :num_queries // 2], cloud(kind, len(points), num_queries, seed=1).to(points)], 1)


def squared_distances(query, points):
    """Of numpy arrays (3,) and (N, 3), in their precision."""
    d = query - points
    return d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2]
