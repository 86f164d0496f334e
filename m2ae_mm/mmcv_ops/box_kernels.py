"""Box operators under the names and calls of ``mmcv._ext``.

mmcv's boxes here are ``(x, y, z, dx, dy, dz, yaw)`` with ``z`` at the *bottom*.
"""
import torch
from torch import Tensor

__all__ = ['points_in_boxes_all_forward', 'points_in_boxes_cpu_forward', 'points_in_boxes_part_forward']


def points_in_boxes_all_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """Fill ``output`` (B, N, T) with 1 where a point lies in a box, else 0."""
    output.copy_(_points_in_boxes(points, boxes))


def points_in_boxes_cpu_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """As above for one cloud, with ``output`` (T, N)."""
    output.copy_(_points_in_boxes(points[None], boxes[None])[0].T)


def points_in_boxes_part_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """Fill ``output`` (B, N) with the first box that holds the point, else -1."""
    if boxes.shape[1] == 0:
        output.fill_(-1)
        return
    inside = _points_in_boxes(points, boxes)
    output.copy_(torch.where(inside.any(2), inside.int().argmax(2), -1))


def _points_in_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """(B, N, T) bool; side faces are outside, top and bottom inside, as in mmcv."""
    offset = points.unsqueeze(2) - boxes[:, None, :, :3]
    height = boxes[:, None, :, 5]
    cos, sin = boxes[:, None, :, 6].cos(), boxes[:, None, :, 6].sin()
    along = offset[..., 0] * cos + offset[..., 1] * sin
    across = offset[..., 1] * cos - offset[..., 0] * sin
    inside = (along.abs() < boxes[:, None, :, 3] / 2) & (across.abs() < boxes[:, None, :, 4] / 2)
    return inside & (offset[..., 2] >= 0) & (offset[..., 2] <= height)
