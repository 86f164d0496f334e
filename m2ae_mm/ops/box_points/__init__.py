"""Points in rotated boxes, which and how many in the cells of a grid."""
import torch
from torch import Tensor

from ..dispatch import operator
from ..distances import block_size


def points_in_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points lie in which boxes.

    Points on a side face are outside, on the top or bottom inside: mmcv's rule.

    Args:
        points: ``(B, N, 3)``.
        boxes: ``(B, T, 7)``.

    Returns:
        ``(B, N, T)`` bool.
    """
    return _points_in_boxes(*_points_and_frames(points, boxes))


def count_in_grids(points: Tensor, boxes: Tensor, cells: int, slices: int) -> Tensor:
    """How many points lie in the cells of a grid over each box.

    Two grids: ``cells`` along each axis of the box, and ``slices`` along one
    axis at a time. Points on a face or outside are not counted.

    Args:
        points: ``(B, N, 3)``.
        boxes: ``(B, T, 7)``; one with a side of 0 counts nothing.
        cells: Cells along each axis.
        slices: Slices along each axis.

    Returns:
        ``(B, T, cells ** 3 + 3 * slices)`` int64: the cells, z fastest, then
        the slices along x, y and z.
    """
    if min(cells, slices) < 1:
        raise ValueError(f'cells and slices must be at least 1, got {cells} and {slices}.')
    return _count_in_grids(*_points_and_frames(points, boxes), cells, slices)


def _points_and_frames(points: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """What the operators take: points float32, and centre, half sides, cosine and sine of yaw, ``(B, 8, T)``."""
    if points.dim() != 3 or points.shape[-1] != 3 or boxes.dim() != 3 or boxes.shape[-1] != 7 \
            or points.shape[0] != boxes.shape[0]:
        raise ValueError('points must be (B, N, 3) and boxes (B, T, 7) with the same B, got '
                         f'{tuple(points.shape)} and {tuple(boxes.shape)}.')
    boxes = boxes.detach().float()
    yaw = boxes[..., 6:]
    frames = torch.cat([boxes[..., :3], boxes[..., 3:6] / 2, yaw.cos(), yaw.sin()], -1)
    return points.detach().float(), frames.transpose(1, 2)


@operator('cpu', 'cuda')
def _points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    center_x, center_y, center_z, half_x, half_y, half_z, cos, sin = frames.unsqueeze(2).unbind(1)
    blocks = []
    for block in points.split(block_size(center_x.numel()), 1):
        x, y, z = block.unsqueeze(-1).unbind(2)
        x, y, z = x - center_x, y - center_y, z - center_z
        inside = (x * cos + y * sin).abs() < half_x
        inside &= (y * cos - x * sin).abs() < half_y
        inside &= z.abs() <= half_z
        blocks.append(inside)
    return torch.cat(blocks, 1)


@_points_in_boxes.register_fake
def _(points: Tensor, frames: Tensor) -> Tensor:
    return points.new_empty((*points.shape[:2], frames.shape[2]), dtype=torch.bool)


@operator('cpu')
def _count_in_grids(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    width = cells**3 + 3 * slices
    counts = points.new_zeros(points.shape[0], frames.shape[2], width + 1, dtype=torch.long)
    first_slice = torch.arange(3, device=points.device) * slices + cells**3
    # Points outside are counted behind the grid: no selection, for which the host would wait for a GPU.
    size = block_size(points.shape[0] * points.shape[1])
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


@_count_in_grids.register_fake
def _(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    return points.new_empty((points.shape[0], frames.shape[2], cells**3 + 3 * slices), dtype=torch.long)
