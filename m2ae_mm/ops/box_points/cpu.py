"""Points in rotated boxes and in the cells of grids, box by box or point by point."""
import numpy as np
import torch
from torch import Tensor

from ..jit import kernel
from ..threads import for_each_cloud


def points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    """See :func:`m2ae_mm.ops.points_in_boxes`."""
    inside = torch.empty(*points.shape[:2], frames.shape[2], dtype=torch.bool)
    clouds, per_cloud, output = points.contiguous().numpy(), frames.contiguous().numpy(), inside.numpy()
    for_each_cloud(lambda cloud: _contains(clouds[cloud], per_cloud[cloud], output[cloud]), len(clouds))
    return inside


def count_in_grids(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    """See :func:`m2ae_mm.ops.count_in_grids`."""
    counts = torch.zeros(points.shape[0], frames.shape[2], cells**3 + 3 * slices, dtype=torch.long)
    clouds, per_cloud, output = points.transpose(1, 2).contiguous().numpy(), frames.contiguous().numpy(), counts.numpy()
    for_each_cloud(lambda cloud: _count(clouds[cloud], per_cloud[cloud], cells, slices, output[cloud]), len(clouds))
    return counts


@kernel
def _contains(points, frames, output):
    """Fill ``output`` (N, T) bool for one cloud ``points`` (N, 3) and ``frames`` (8, T), both float32."""
    num_boxes = frames.shape[1]
    # As wide as the floats it is computed from, and no branches: vectorised,
    # six times faster than writing the output directly.
    row = np.empty(num_boxes, np.int32)
    for i in range(len(points)):
        x, y, z = points[i]
        for t in range(num_boxes):
            dx, dy, dz = x - frames[0, t], y - frames[1, t], z - frames[2, t]
            cos, sin = frames[6, t], frames[7, t]
            row[t] = ((np.abs(dx * cos + dy * sin) < frames[3, t]) & (np.abs(dy * cos - dx * sin) < frames[4, t]) &
                      (np.abs(dz) <= frames[5, t]))
        for t in range(num_boxes):
            output[i, t] = row[t]


@kernel
def _count(points, frames, cells, slices, output):
    """Add to ``output`` (T, cells ** 3 + 3 * slices) int64 the points (3, N) in the grids of ``frames`` (8, T)."""
    one, half = np.float32(1), np.float32(0.5)
    xs, ys, zs = points[0], points[1], points[2]
    near = np.empty(len(xs), np.int32)
    for t in range(frames.shape[1]):
        center_x, center_y, center_z = frames[0, t], frames[1, t], frames[2, t]
        half_x, half_y, half_z, cos, sin = frames[3, t], frames[4, t], frames[5, t], frames[6, t], frames[7, t]
        # The hull along the scene's axes, a little wider: vectorised, without branches.
        reach_x = np.float32(1.001) * (half_x * np.abs(cos) + half_y * np.abs(sin))
        reach_y = np.float32(1.001) * (half_x * np.abs(sin) + half_y * np.abs(cos))
        for i in range(len(xs)):
            near[i] = ((np.abs(xs[i] - center_x) <= reach_x) & (np.abs(ys[i] - center_y) <= reach_y) &
                       (np.abs(zs[i] - center_z) <= half_z))
        for i in range(len(xs)):
            if near[i] == 0:
                continue
            dx, dy = xs[i] - center_x, ys[i] - center_y
            x, y, z = (dx * cos + dy * sin) / half_x, (dy * cos - dx * sin) / half_y, (zs[i] - center_z) / half_z
            if not (np.abs(x) < one and np.abs(y) < one and np.abs(z) < one):
                continue
            x, y, z = (x + one) * half, (y + one) * half, (z + one) * half
            cell = min(int(x * cells), cells - 1)
            cell = (cell * cells + min(int(y * cells), cells - 1)) * cells + min(int(z * cells), cells - 1)
            output[t, cell] += 1
            start = cells**3
            output[t, start + min(int(x * slices), slices - 1)] += 1
            output[t, start + slices + min(int(y * slices), slices - 1)] += 1
            output[t, start + 2 * slices + min(int(z * slices), slices - 1)] += 1
