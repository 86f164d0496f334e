"""Replacements for the Python functions of mmcv that call ``torch.cuda`` themselves.

Same arguments, checks and results (int32 indices) as mmcv's functions of the
same name. The functions of the extension fill the outputs, so CPU and GPU
share one implementation.
"""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import box_kernels, point_kernels


@torch.no_grad()
def furthest_point_sample(points_xyz: Tensor, num_points: int) -> Tensor:
    """``(B, num_points)`` int32 indices into ``points_xyz`` (B, N, 3)."""
    output = points_xyz.new_zeros((points_xyz.shape[0], num_points), dtype=torch.int32)
    point_kernels.furthest_point_sampling_forward(points_xyz, points_xyz, output)
    return output


@torch.no_grad()
def knn(k: int, xyz: Tensor, center_xyz: Tensor | None = None, transposed: bool = False) -> Tensor:
    """``(B, k, M)`` int32 indices into ``xyz`` of the neighbours of ``center_xyz``.

    Points are ``(B, N, 3)``, or ``(B, 3, N)`` when ``transposed``.
    """
    center_xyz = xyz if center_xyz is None else center_xyz
    if transposed:
        xyz, center_xyz = xyz.transpose(1, 2), center_xyz.transpose(1, 2)
    output = xyz.new_zeros((xyz.shape[0], center_xyz.shape[1], k), dtype=torch.int32)
    point_kernels.knn_forward(xyz, center_xyz, output, torch.empty_like(output, dtype=xyz.dtype), nsample=k)
    return output.transpose(1, 2).contiguous()


@torch.no_grad()
def points_in_boxes_part(points: Tensor, boxes: Tensor) -> Tensor:
    """``(B, N)`` int32: the first box that holds the point, -1 for none."""
    _check_boxes(points, boxes)
    output = points.new_empty(points.shape[:2], dtype=torch.int32)
    box_kernels.points_in_boxes_part_forward(boxes, points, output)
    return output


@torch.no_grad()
def points_in_boxes_all(points: Tensor, boxes: Tensor) -> Tensor:
    """``(B, N, T)`` int32: 1 where a point lies in a box, else 0."""
    _check_boxes(points, boxes)
    output = points.new_empty((*points.shape[:2], boxes.shape[1]), dtype=torch.int32)
    box_kernels.points_in_boxes_all_forward(boxes, points, output)
    return output


def _check_boxes(points: Tensor, boxes: Tensor) -> None:
    if points.shape[0] != boxes.shape[0] or points.shape[-1] != 3 or boxes.shape[-1] != 7:
        raise ValueError('points must be (B, N, 3) and boxes (B, T, 7) with the same B, got '
                         f'{tuple(points.shape)} and {tuple(boxes.shape)}.')
    if points.device != boxes.device:
        raise ValueError(f'points and boxes must be on one device, got {points.device} and {boxes.device}.')


REPLACEMENTS = {
    'furthest_point_sample': furthest_point_sample,
    'knn': knn,
    'points_in_boxes_all': points_in_boxes_all,
    'points_in_boxes_part': points_in_boxes_part,
}


def wrapper(name: str) -> Callable[..., Any]:
    """The replacement of that name."""
    return REPLACEMENTS[name]
