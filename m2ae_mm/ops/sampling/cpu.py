"""Furthest point sampling that skips the leaves which a new pick cannot change."""
import numpy as np
import torch
from torch import Tensor

from ..jit import kernel
from ..threads import for_each_cloud
from ..tree import box_distance, build


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """See :func:`m2ae_mm.ops.furthest_point_sample`."""
    picked = torch.empty(points.shape[0], num_samples, dtype=torch.long)
    clouds, output = points.contiguous().numpy(), picked.numpy()
    # Every pick looks at all leaves and rewrites a few: some 200 are best.
    leaf_size = max(64, points.shape[1] // 200)
    for_each_cloud(lambda cloud: _sample(clouds[cloud], leaf_size, output[cloud]), len(clouds))
    return picked


@kernel
def _sample(points, leaf_size, picked):
    """Fill ``picked`` (M,) int64 for one cloud ``points`` (N, 3) float32."""
    coordinates, order, bounds, spans, skip = build(points, leaf_size)
    leaves = np.flatnonzero(skip == np.arange(1, len(skip) + 1))
    bounds, spans = bounds[leaves], spans[leaves]
    nearest = np.full(points.shape[0], np.inf, np.float32)
    # Of every leaf: its largest distance to the picked points, and where.
    largest = np.full(len(leaves), np.inf, np.float32)
    largest_index = np.zeros(len(leaves), np.int32)
    last = np.int32(0)
    for i in range(len(picked)):
        picked[i] = last
        x, y, z = points[last]
        best, best_index = np.float32(-1), np.int32(0)
        for leaf in range(len(leaves)):
            if box_distance(x, y, z, bounds[leaf]) < largest[leaf]:
                start, stop = spans[leaf]
                largest[leaf], largest_index[leaf] = _update(coordinates, order, nearest, start, stop, x, y, z)
            if largest[leaf] > best or (largest[leaf] == best and largest_index[leaf] < best_index):
                best, best_index = largest[leaf], largest_index[leaf]
        last = best_index


@kernel
def _update(coordinates, order, nearest, start, stop, x, y, z):
    """Lower the distances of one leaf; return its largest and the lowest index that has it."""
    for i in range(start, stop):
        dx, dy, dz = coordinates[0, i] - x, coordinates[1, i] - y, coordinates[2, i] - z
        squared = dx * dx + dy * dy + dz * dz
        nearest[i] = squared if squared < nearest[i] else nearest[i]
    best, best_index = np.float32(-1), np.int32(0)
    for i in range(start, stop):
        if nearest[i] > best or (nearest[i] == best and order[i] < best_index):
            best, best_index = nearest[i], order[i]
    return best, best_index
