"""Which tokens of a packed cloud are near each other, a bit for each pair.

The local attention of a stage needs it in every block, head and pass: distances are computed once and the marks are
a hundred times smaller than they would be as a mask of numbers.
"""
import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

_ROWS = 64
_BITS = tl.constexpr(32)
_WORDS_IN_BLOCK = 2  # at most as many words of a row belong to a block of keys


def near_marks(centers: Tensor, starts: Tensor, counts: Tensor, longest: int, radius: float) -> Tensor:
    """Mark the tokens within the radius of each token.

    Bit by bit ``squared_distances(centers, centers) < radius**2`` of :mod:`m2ae_mm.ops.reference` within each cloud,
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
        _mark[(triton.cdiv(longest, _ROWS), words, len(starts))](
            centers.contiguous(), starts, counts, marks, float(np.float32(radius**2)), _ROWS, num_warps=4,
            enable_fp_fusion=False)
    return marks


@triton.jit
def _mark(centers, starts, counts, marks, limit, ROWS: tl.constexpr):
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
