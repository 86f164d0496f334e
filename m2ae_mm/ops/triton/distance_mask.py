"""Which pairs of points are far apart: one pass that writes the mask only."""
import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

_ROWS, _COLUMNS = 16, 512  # a thread has four columns and reads the coordinates of every row


def far_pairs(centers: Tensor, radius: float) -> Tensor:
    """Pairs at a distance of ``radius`` or more.

    Bit by bit ``squared_distances(centers, centers) >= radius**2`` of :mod:`m2ae_mm.ops.reference`, but False on
    the diagonal.

    Args:
        centers: ``(B, L, 3)`` float32.
        radius: In the unit of the points.

    Returns:
        ``(B, L, L)`` bool.
    """
    batch, length, _ = centers.shape
    output = centers.new_empty((batch, length, length), dtype=torch.bool)
    if output.numel() == 0:
        return output  # an empty grid cannot be launched
    grid = triton.cdiv(length, _COLUMNS), triton.cdiv(length, _ROWS), batch
    # Fused multiply-add would round distances differently from the reference.
    with torch.cuda.device_of(centers):
        _beyond[grid](centers.contiguous(), output.view(torch.uint8), length, float(np.float32(radius**2)), _ROWS,
                      _COLUMNS, num_warps=4, enable_fp_fusion=False)
    return output


@triton.jit
def _beyond(centers, output, length, limit, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    cloud = tl.program_id(2).to(tl.int64)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    centers += cloud * length * 3
    x, y, z = _coordinates(centers, row, length)
    other_x, other_y, other_z = _coordinates(centers, column, length)
    dx = x[:, None] - other_x[None, :]
    dy = y[:, None] - other_y[None, :]
    dz = z[:, None] - other_z[None, :]
    far = (dx * dx + dy * dy + dz * dz >= limit) & (row[:, None] != column[None, :])
    cells = (cloud * length + row)[:, None] * length + column[None, :]
    tl.store(output + cells, far.to(tl.uint8), (row < length)[:, None] & (column < length)[None, :])


@triton.jit
def _coordinates(centers, index, length):
    centers, exists = centers + index * 3, index < length
    return tl.load(centers, exists, 0.), tl.load(centers + 1, exists, 0.), tl.load(centers + 2, exists, 0.)
