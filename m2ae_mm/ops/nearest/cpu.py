"""k nearest points, nearer half of the tree first."""
import numpy as np
import torch
from torch import Tensor

from ..jit import kernel
from ..threads import for_each_cloud
from ..tree import LEAF_SIZE, box_distance, build

_NONE = np.int32(2**31 - 1)


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.knn`."""
    indices = torch.empty(*queries.shape[:2], k, dtype=torch.long)
    sources, clouds, output = queries.contiguous().numpy(), points.contiguous().numpy(), indices.numpy()
    for_each_cloud(lambda cloud: _nearest(sources[cloud], clouds[cloud], LEAF_SIZE, output[cloud]), len(clouds))
    return indices


@kernel
def _nearest(queries, points, leaf_size, indices):
    """Fill ``indices`` (M, k) int64 for one cloud; ``queries`` (M, 3), ``points`` (N, 3) float32."""
    coordinates, order, bounds, spans, skip = build(points, leaf_size)
    k = indices.shape[1]
    found, found_squared = np.empty(k, np.int32), np.empty(k, np.float32)
    waiting, waiting_squared = np.empty(len(skip) + 1, np.int32), np.empty(len(skip) + 1, np.float32)
    for row in range(len(queries)):
        x, y, z = queries[row]
        found[:], found_squared[:] = _NONE, np.float32(np.inf)
        waiting[0], waiting_squared[0] = 0, np.float32(0)
        num_waiting = 1
        while num_waiting:
            num_waiting -= 1
            node = waiting[num_waiting]
            # An equally far point with a lower index may still take a place.
            if waiting_squared[num_waiting] > found_squared[k - 1]:
                continue
            left = node + 1
            if skip[node] == left:
                _insert_leaf(coordinates, order, spans[node], x, y, z, found, found_squared)
                continue
            right = skip[left]
            near, far = left, right
            near_squared = box_distance(x, y, z, bounds[left])
            far_squared = box_distance(x, y, z, bounds[right])
            if far_squared < near_squared:
                near, far, near_squared, far_squared = right, left, far_squared, near_squared
            waiting[num_waiting], waiting_squared[num_waiting] = far, far_squared
            waiting[num_waiting + 1], waiting_squared[num_waiting + 1] = near, near_squared
            num_waiting += 2
        first = found[0] if found[0] != _NONE else np.int32(0)
        for i in range(k):
            indices[row, i] = found[i] if found[i] != _NONE else first


@kernel
def _insert_leaf(coordinates, order, span, x, y, z, found, found_squared):
    """Sort the points of a leaf into the ``k`` best by distance, then index."""
    last = len(found) - 1
    for i in range(span[0], span[1]):
        dx, dy, dz = coordinates[0, i] - x, coordinates[1, i] - y, coordinates[2, i] - z
        squared, index = dx * dx + dy * dy + dz * dz, order[i]
        if not (squared < found_squared[last] or (squared == found_squared[last] and index < found[last])):
            continue
        place = last
        while place > 0 and (squared < found_squared[place - 1] or
                             (squared == found_squared[place - 1] and index < found[place - 1])):
            found[place], found_squared[place] = found[place - 1], found_squared[place - 1]
            place -= 1
        found[place], found_squared[place] = index, squared
