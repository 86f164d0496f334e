"""Operators and layers on the CPU: numba kernels, search over a tree of boxes, one cloud a thread.

Operators have the functions, arguments and results of
:mod:`m2ae_mm.ops.reference`. The kernels are compiled at the first call, some
15 s, and kept on disk.
"""
import numpy as np
import torch
from torch import Tensor

from ..threads import for_each_cloud
from . import ball, boxes, grids, neighbors, sampling
from .attention import NeighborAttention
from .mini_pointnet import MiniPointNetStep
from .pooling import max_over_members, max_over_members_backward
from .products import linear
from .table_lookup import TableLookUp

__all__ = ['MiniPointNetStep', 'NeighborAttention', 'TableLookUp', 'ball_query', 'count_in_grids',
           'furthest_point_sample', 'knn', 'linear', 'max_over_members', 'max_over_members_backward', 'points_in_boxes']

_LEAF_SIZE = 16


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """See :func:`m2ae_mm.ops.furthest_point_sample`."""
    picked = torch.empty(points.shape[0], num_samples, dtype=torch.long)
    clouds, output = points.contiguous().numpy(), picked.numpy()
    # Every pick looks at all leaves and rewrites a few: some 200 are best.
    leaf_size = max(64, points.shape[1] // 200)
    for_each_cloud(lambda cloud: sampling.sample(clouds[cloud], leaf_size, output[cloud]), len(clouds))
    return picked


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.knn`."""
    indices = torch.empty(*queries.shape[:2], k, dtype=torch.long)
    sources, clouds, output = queries.contiguous().numpy(), points.contiguous().numpy(), indices.numpy()
    for_each_cloud(lambda cloud: neighbors.nearest(sources[cloud], clouds[cloud], _LEAF_SIZE, output[cloud]),
                   len(clouds))
    return indices


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """See :func:`m2ae_mm.ops.ball_query`."""
    indices = torch.empty(*centers.shape[:2], num_samples, dtype=torch.long)
    sources, clouds, output = centers.contiguous().numpy(), points.contiguous().numpy(), indices.numpy()
    outer, inner = np.float32(radius**2), np.float32(min_radius**2)
    for_each_cloud(
        lambda cloud: ball.within(sources[cloud], clouds[cloud], outer, inner, _LEAF_SIZE, output[cloud]),
        len(clouds))
    return indices


def points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    """See :func:`m2ae_mm.ops.reference.points_in_boxes`."""
    inside = torch.empty(*points.shape[:2], frames.shape[2], dtype=torch.bool)
    clouds, per_cloud, output = points.contiguous().numpy(), frames.contiguous().numpy(), inside.numpy()
    for_each_cloud(lambda cloud: boxes.contains(clouds[cloud], per_cloud[cloud], output[cloud]), len(clouds))
    return inside


def count_in_grids(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    """See :func:`m2ae_mm.ops.reference.count_in_grids`."""
    counts = torch.zeros(points.shape[0], frames.shape[2], cells**3 + 3 * slices, dtype=torch.long)
    clouds, per_cloud, output = points.transpose(1, 2).contiguous().numpy(), frames.contiguous().numpy(), counts.numpy()
    for_each_cloud(lambda cloud: grids.count(clouds[cloud], per_cloud[cloud], cells, slices, output[cloud]),
                   len(clouds))
    return counts
