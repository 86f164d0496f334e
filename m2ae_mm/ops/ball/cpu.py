"""Points within a ball, lowest indices first."""
import numpy as np
import torch
from torch import Tensor

from ..jit import kernel
from ..threads import for_each_cloud
from ..tree import LEAF_SIZE, box_distance, build


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """See :func:`m2ae_mm.ops.ball_query`."""
    indices = torch.empty(*centers.shape[:2], num_samples, dtype=torch.long)
    sources, clouds, output = centers.contiguous().numpy(), points.contiguous().numpy(), indices.numpy()
    outer, inner = np.float32(radius**2), np.float32(min_radius**2)
    for_each_cloud(lambda cloud: _within(sources[cloud], clouds[cloud], outer, inner, LEAF_SIZE, output[cloud]),
                   len(clouds))
    return indices


@kernel
def _within(centers, points, outer, inner, leaf_size, indices):
    """Fill ``indices`` (M, S) int64 for one cloud.

    ``centers`` (M, 3) and ``points`` (N, 3) are float32, ``outer`` and
    ``inner`` squared radii, float32.
    """
    tree = build(points, leaf_size)
    found = np.empty(indices.shape[1], np.int32)
    in_order = _in_order_is_faster(centers, tree, outer, len(found))
    for row in range(len(centers)):
        if in_order:
            num_found = _collect_in_order(centers[row], points, outer, inner, found)
        else:
            num_found = _collect_from_tree(centers[row], tree, outer, inner, found)
        first = found[0] if num_found else np.int32(0)
        for i in range(len(found)):
            indices[row, i] = found[i] if i < num_found else first


@kernel
def _in_order_is_faster(centers, tree, outer, num_samples):
    """Whether trying the points one after the other beats the tree.

    With c points in a ball, the one takes some 1.2 ns for each of
    N * num_samples / c points, the other some 15 ns for each of c. c is
    counted for a few centres.
    """
    coordinates, _, bounds, spans, skip = tree
    count, tried = 0, 0
    for row in range(0, len(centers), max(len(centers) // 8, 1)):
        x, y, z = centers[row]
        tried += 1
        node = 0
        while node < len(skip):
            if not box_distance(x, y, z, bounds[node]) < outer:
                node = skip[node]
                continue
            if skip[node] == node + 1:
                for i in range(spans[node, 0], spans[node, 1]):
                    dx, dy, dz = coordinates[0, i] - x, coordinates[1, i] - y, coordinates[2, i] - z
                    count += dx * dx + dy * dy + dz * dz < outer
            node += 1
    return 12 * (count / tried)**2 > coordinates.shape[1] * num_samples


@kernel
def _collect_in_order(center, points, outer, inner, found):
    """Write the first indices inside to ``found``; return how many."""
    x, y, z = center
    num_found = 0
    for i in range(len(points)):
        dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
        squared = dx * dx + dy * dy + dz * dz
        if squared < outer and (squared >= inner or squared == 0):
            found[num_found] = i
            num_found += 1
            if num_found == len(found):
                break
    return num_found


@kernel
def _collect_from_tree(center, tree, outer, inner, found):
    """As above, skipping what is too far and keeping the lowest indices met."""
    coordinates, order, bounds, spans, skip = tree
    x, y, z = center
    num_found, node = 0, 0
    while node < len(skip):
        if not box_distance(x, y, z, bounds[node]) < outer:
            node = skip[node]
            continue
        if skip[node] == node + 1:
            for i in range(spans[node, 0], spans[node, 1]):
                dx, dy, dz = coordinates[0, i] - x, coordinates[1, i] - y, coordinates[2, i] - z
                squared = dx * dx + dy * dy + dz * dz
                if squared < outer and (squared >= inner or squared == 0):
                    num_found = _insert_index(found, num_found, order[i])
        node += 1
    return num_found


@kernel
def _insert_index(found, num_found, index):
    """Sort ``index`` into the lowest ones found so far; return how many there are now."""
    if num_found == len(found):
        if index > found[num_found - 1]:
            return num_found
    else:
        num_found += 1
    place = num_found - 1
    while place > 0 and found[place - 1] > index:
        found[place] = found[place - 1]
        place -= 1
    found[place] = index
    return num_found
