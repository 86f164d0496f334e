"""Which pairs of tokens are near each other: as bits for packed rows, as a mask for whole clouds.

The local attention of a stage needs it in every block, head and pass: distances are computed once, and bits are a
hundred times smaller than a mask of numbers.
"""
import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

# Of near_marks.
_ROWS = 64
_BITS = tl.constexpr(32)
_WORDS_IN_BLOCK = 2  # at most as many words of a row belong to a block of keys
# Of far_pairs: a thread has four columns and reads the coordinates of every row.
_FAR_ROWS, _FAR_COLUMNS = 16, 512


def near_marks(centers: Tensor, starts: Tensor, counts: Tensor, longest: int, radius: float) -> Tensor:
    """Mark the tokens within the radius of each token.

    Bit by bit ``squared_distances(centers, centers) < radius**2`` of :mod:`m2ae_mm.ops.distances` within each cloud,
    but always set for a token itself.

    Args:
        centers: ``(R, 3)`` float32 positions.
        starts: ``(B,)`` int64 first row of each cloud.
        counts: ``(B,)`` int64 rows of each cloud.
        longest: At least the largest of ``counts``.
        radius: Tokens at this distance or further are not marked.

    Returns:
        ``(R, W)`` int32: bit ``j % 32`` of word ``j // 32`` is set where token j of the same cloud is near; anything
        in rows of no cloud.
    """
    words = triton.cdiv(longest, _BITS.value * _WORDS_IN_BLOCK) * _WORDS_IN_BLOCK
    marks = torch.empty((len(centers), words), dtype=torch.int32, device=centers.device)
    # Fused multiply-add would decide which distances are below the radius differently from the reference.
    with torch.cuda.device_of(centers):
        _near_marks[(triton.cdiv(longest, _ROWS), words, len(starts))](
            centers.contiguous(), starts, counts, marks, float(np.float32(radius**2)), _ROWS, num_warps=4,
            enable_fp_fusion=False)
    return marks


def far_pairs(centers: Tensor, radius: float) -> Tensor:
    """Pairs at a distance of ``radius`` or more.

    Bit by bit ``squared_distances(centers, centers) >= radius**2`` of :mod:`m2ae_mm.ops.distances`, but False on
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
    grid = triton.cdiv(length, _FAR_COLUMNS), triton.cdiv(length, _FAR_ROWS), batch
    # Fused multiply-add would round distances differently from the reference.
    with torch.cuda.device_of(centers):
        _far_pairs[grid](centers.contiguous(), output.view(torch.uint8), length, float(np.float32(radius**2)),
                         _FAR_ROWS, _FAR_COLUMNS, num_warps=4, enable_fp_fusion=False)
    return output


@triton.jit
def _near_marks(centers, starts, counts, marks, limit, ROWS: tl.constexpr):
    word, words, cloud = tl.program_id(1), tl.num_programs(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    bit = tl.arange(0, _BITS)
    column = word * _BITS + bit
    centers += first * 3
    x, y, z = _coordinates(centers, row, count)
    other_x, other_y, other_z = _coordinates(centers, column, count)
    dx = x[:, None] - other_x[None, :]
    dy = y[:, None] - other_y[None, :]
    dz = z[:, None] - other_z[None, :]
    near = (dx * dx + dy * dy + dz * dz < limit) | (row[:, None] == column[None, :])
    bits = tl.where(near & (column < count)[None, :], (1 << bit)[None, :], 0)
    tl.store(marks + (first + row) * words + word, tl.sum(bits, 1), row < count)


@triton.jit
def _far_pairs(centers, output, length, limit, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
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
def _coordinates(centers, index, count):
    centers, exists = centers + index * 3, index < count
    return tl.load(centers, exists, 0.), tl.load(centers + 1, exists, 0.), tl.load(centers + 2, exists, 0.)


@triton.jit
def is_marked(marks, row, first_column, column, count, WORDS: tl.constexpr, COLUMNS: tl.constexpr):
    """Which pairs of rows and COLUMNS columns, 16, 32 or 64 from ``first_column`` on, a multiple of that, are marked.

    None are beyond ``count``.

    ``marks`` points to the first row of the cloud, ``WORDS`` is the number of words of a row.
    """
    cell = marks + row.to(tl.int64) * WORDS + first_column // _BITS
    word = tl.load(cell, row < count, 0)[:, None]
    if COLUMNS > _BITS:
        further = tl.load(cell + 1, row < count, 0)[:, None]
        word = tl.where((column - first_column < _BITS)[None, :], word, further)
    return (word >> (column % _BITS)[None, :]) & 1 != 0
