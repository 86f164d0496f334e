"""Sampling and search in plain PyTorch: what every faster path must return.

Inputs are checked, detached and float32 already. Squared distances are summed
x + y + z without fused multiply-add; all paths do this, so that they agree on
which of two almost equally far points is nearer.
"""
import torch
from torch import Tensor

_PAIRS_AT_ONCE = 1 << 22


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """Plain loop over samples, batched over clouds; see :func:`m2ae_mm.ops.furthest_point_sample`."""
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


def _blocks(queries: Tensor, points: Tensor) -> tuple[Tensor, ...]:
    """Queries in blocks: the pairs of a scene at once would take several GB."""
    return queries.split(max(_PAIRS_AT_ONCE // max(points.shape[0] * points.shape[1], 1), 1), 1)


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """All pairwise distances, ties broken by index; see :func:`m2ae_mm.ops.knn`."""
    return torch.cat([_knn_block(block, points, k) for block in _blocks(queries, points)], 1)


def _knn_block(queries: Tensor, points: Tensor, k: int) -> Tensor:
    squared = squared_distances(queries, points)
    found = min(k, points.shape[1])
    # A non-negative float32 sorts like its bit pattern, so distance and index
    # fit one integer key whose smallest values are unique.
    bits = squared.contiguous().view(torch.int32).long()
    keys = (bits << 32) | torch.arange(points.shape[1], device=points.device)
    indices = keys.topk(found, largest=False, sorted=True).values & 0xFFFFFFFF
    if found < k:
        indices = torch.cat([indices, indices[..., :1].expand(-1, -1, k - found)], -1)
    return indices


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """All pairwise distances; see :func:`m2ae_mm.ops.ball_query`."""
    blocks = [_ball_block(block, points, radius, num_samples, min_radius) for block in _blocks(centers, points)]
    return torch.cat(blocks, 1)


def _ball_block(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    squared = squared_distances(centers, points)
    inside = (squared < radius**2) & ((squared >= min_radius**2) | (squared == 0))
    num_points = points.shape[1]
    order = torch.arange(num_points, device=points.device)
    candidates = torch.where(inside, order, num_points)
    found = candidates.topk(min(num_samples, num_points), largest=False, sorted=True).values
    if found.shape[-1] < num_samples:
        fill = found.new_full((*found.shape[:-1], num_samples - found.shape[-1]), num_points)
        found = torch.cat([found, fill], -1)
    first = found[..., :1]
    first = torch.where(first == num_points, 0, first)
    return torch.where(found == num_points, first, found)


def points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    """``(B, N, T)`` bool; see :func:`m2ae_mm.ops.points_in_boxes`.

    Args:
        points: ``(B, N, 3)``.
        frames: ``(B, 8, T)``: centre x, y, z, half sides x, y, z, cosine and
            sine of yaw of every box.
    """
    center_x, center_y, center_z, half_x, half_y, half_z, cos, sin = frames.unsqueeze(2).unbind(1)
    # A block of points at a time: 40,000 points and 256 boxes would need
    # several temporaries of 40 MB each, per cloud.
    blocks = []
    for block in points.split(max(_PAIRS_AT_ONCE // max(center_x.numel(), 1), 1), 1):
        x, y, z = block.unsqueeze(-1).unbind(2)
        x, y, z = x - center_x, y - center_y, z - center_z
        inside = (x * cos + y * sin).abs() < half_x
        inside &= (y * cos - x * sin).abs() < half_y
        inside &= z.abs() <= half_z
        blocks.append(inside)
    return torch.cat(blocks, 1)


def count_in_grids(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    """``(B, T, cells ** 3 + 3 * slices)`` int64; see :func:`m2ae_mm.ops.count_in_grids`.

    Args:
        points: ``(B, N, 3)``.
        frames: ``(B, 8, T)`` as of :func:`points_in_boxes`.
        cells: Along each axis.
        slices: Along each axis.
    """
    width = cells**3 + 3 * slices
    counts = points.new_zeros(points.shape[0], frames.shape[2], width + 1, dtype=torch.long)
    first_slice = torch.arange(3, device=points.device) * slices + cells**3
    # A block of boxes at a time, as in points_in_boxes. Points outside are counted behind the grid: no selection, for
    # which the host would wait for a GPU.
    size = max(_PAIRS_AT_ONCE // max(points.shape[0] * points.shape[1], 1), 1)
    for block, part in zip(frames.split(size, 2), counts.split(size, 1)):
        center_x, center_y, center_z, half_x, half_y, half_z, cos, sin = block.unsqueeze(-1).unbind(1)
        x, y, z = points.unsqueeze(1).unbind(-1)
        x, y, z = x - center_x, y - center_y, z - center_z
        place = torch.stack([(x * cos + y * sin) / half_x, (y * cos - x * sin) / half_y, z / half_z], -1)
        outside = ~(place.abs() < 1).all(-1)
        cell = ((place + 1) / 2 * cells).long().clamp(0, cells - 1)
        index = [((cell[..., 0] * cells + cell[..., 1]) * cells + cell[..., 2]).unsqueeze(-1),
                 ((place + 1) / 2 * slices).long().clamp(0, slices - 1) + first_slice]
        index = torch.cat(index, -1).masked_fill(outside.unsqueeze(-1), width).flatten(2)
        part.scatter_add_(2, index, torch.ones_like(index))
    return counts[..., :width].contiguous()


def squared_distances(queries: Tensor, points: Tensor) -> Tensor:
    """``(B, M, N)`` squared distances from differences, summed x + y + z.

    Unlike the expansion ``|a|^2 - 2ab + |b|^2`` this is exact for equal points
    and never negative. In float32, or wider if the input is.
    """
    dtype = torch.promote_types(queries.dtype, torch.float32)
    queries, points = queries.to(dtype), points.to(dtype)
    x, y, z = ((queries[:, :, None, axis] - points[:, None, :, axis]).square() for axis in range(3))
    return x + y + z


def max_over_members(values: Tensor) -> tuple[Tensor, Tensor]:
    """Largest values and which members have them, ``(T, C)`` each; see :func:`m2ae_mm.ops.max_over_members`."""
    largest, member = values.max(1)
    return largest, member.int()


def max_over_members_backward(gradient: Tensor, member: Tensor, k: int) -> Tensor:
    """``(T, k, C)``: the gradient ``(T, C)`` at the chosen members, 0 elsewhere."""
    result = gradient.new_zeros(gradient.shape[0], k, gradient.shape[1])
    return result.scatter_(1, member.long().unsqueeze(1), gradient.unsqueeze(1))
