"""The k nearest points, and the three nearest with their distances."""
import torch
from torch import Tensor

from ..dispatch import check_pair, operator
from ..distances import block_size, squared_distances


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

    Raises:
        ValueError: If the shapes are others, a cloud holds no point, or ``k``
            is below 1.
    """
    check_pair(queries, points)
    if k < 1:
        raise ValueError(f'k must be at least 1, got {k}.')
    return _knn(queries.detach().to(torch.float32), points.detach().to(torch.float32), k)


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


@operator('cpu', 'cuda')
def _knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    batch, num_points, _ = points.shape
    found = min(k, num_points)
    order, indices = torch.arange(num_points, device=points.device), []
    for block in queries.split(block_size(batch * num_points), 1):
        # A non-negative float32 sorts like its bit pattern, so distance and index
        # fit one integer key whose smallest values are unique.
        bits = squared_distances(block, points).contiguous().view(torch.int32).long()
        keys = (bits << 32) | order
        indices.append(keys.topk(found, largest=False, sorted=True).values & 0xFFFFFFFF)
    nearest = torch.cat(indices, 1)
    return torch.cat([nearest, nearest[..., :1].expand(-1, -1, k - found)], -1)


@_knn.register_fake
def _(queries: Tensor, _points: Tensor, k: int) -> Tensor:
    return queries.new_empty((*queries.shape[:2], k), dtype=torch.long)
