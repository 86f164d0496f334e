"""A tree of boxes over one cloud, built by halving along the longest side.

Nodes stand in preorder: the left child of node ``i`` is ``i + 1`` and
``skip[i]`` is the first node after its subtree, so the right child is
``skip[i + 1]`` and a leaf has ``skip[i] == i + 1``. The points of a node are
one contiguous range of the reordered coordinates.

A distance to a box is computed with the same float32 operations as one to a
point, each of which is monotonic. It therefore never exceeds the computed
distance to a point inside, and skipping a node by it is exact.
"""
import numpy as np

from .jit import kernel

LEAF_SIZE = 16  # for searches around a point


@kernel
def build(points, leaf_size):
    """Build the tree of ``points`` (N, 3) float32 with at most ``leaf_size`` points a leaf.

    Returns:
        ``coordinates`` (3, N) float32 reordered, ``order`` (N,) int32 original
        index of each, ``bounds`` (nodes, 6) float32 low then high corner,
        ``spans`` (nodes, 2) int32 first and last + 1, ``skip`` (nodes,) int32.
        Points that are all equal, or not finite, share a leaf of any size.
    """
    num_points = points.shape[0]
    coordinates = np.empty((3, num_points), np.float32)
    for axis in range(3):
        for i in range(num_points):
            coordinates[axis, i] = points[i, axis]
    order = np.arange(num_points).astype(np.int32)
    # A split may set a single point apart, hence room for one leaf per point.
    bounds = np.empty((2 * num_points, 6), np.float32)
    spans = np.empty((2 * num_points, 2), np.int32)
    skip = np.empty(2 * num_points, np.int32)
    waiting = np.empty((num_points + 1, 2), np.int32)
    waiting[0, 0], waiting[0, 1] = 0, num_points
    num_waiting, node = 1, 0
    while num_waiting:
        num_waiting -= 1
        start, stop = waiting[num_waiting]
        spans[node, 0], spans[node, 1] = start, stop
        _bound(coordinates, start, stop, bounds[node])
        middle = start
        if stop - start > leaf_size:
            middle = _halve(coordinates, order, start, stop, bounds[node])
        skip[node] = node + 1
        if middle > start:
            skip[node] = 0  # inner node, filled in below
            waiting[num_waiting, 0], waiting[num_waiting, 1] = middle, stop
            waiting[num_waiting + 1, 0], waiting[num_waiting + 1, 1] = start, middle
            num_waiting += 2
        node += 1
    for i in range(node - 1, -1, -1):
        if skip[i] == 0:
            skip[i] = skip[skip[i + 1]]
    return coordinates, order, bounds[:node], spans[:node], skip[:node]


@kernel
def box_distance(x, y, z, bound):
    """Squared distance from a point to a box (6,), 0 inside."""
    zero = np.float32(0)
    dx = max(max(bound[0] - x, x - bound[3]), zero)
    dy = max(max(bound[1] - y, y - bound[4]), zero)
    dz = max(max(bound[2] - z, z - bound[5]), zero)
    return dx * dx + dy * dy + dz * dz


@kernel
def _bound(coordinates, start, stop, bound):
    """Write the bounding box of a range of points into ``bound``."""
    for axis in range(3):
        low = high = coordinates[axis, start]
        for i in range(start + 1, stop):
            value = coordinates[axis, i]
            low = min(low, value)
            high = max(high, value)
        bound[axis] = low
        bound[axis + 3] = high


@kernel
def _halve(coordinates, order, start, stop, bound):
    """Move the points left of the middle of the longest side to the front; return their end."""
    axis = 0
    for other in range(1, 3):
        if bound[other + 3] - bound[other] > bound[axis + 3] - bound[axis]:
            axis = other
    low, high = bound[axis], bound[axis + 3]
    if not (low < high and np.isfinite(high - low)):
        return start
    middle = low + (high - low) / np.float32(2)
    if middle >= high:  # low and high are neighbouring floats
        middle = low
    end = start
    for i in range(start, stop):
        if coordinates[axis, i] <= middle:
            for other in range(3):
                coordinates[other, i], coordinates[other, end] = coordinates[other, end], coordinates[other, i]
            order[i], order[end] = order[end], order[i]
            end += 1
    return end
