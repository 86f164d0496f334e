"""A vector per group added to its members, and ReLU, in one pass in place."""
import torch
import triton
import triton.language as tl
from torch import Tensor

# Two 16-byte loads of ``x`` per thread in half precision; members of a group find its vector in the L1 cache.
_CELLS, _COLUMNS = 2048, 128


def add_relu(x: Tensor, shared: Tensor, k: int) -> Tensor:
    """``relu(x + shared)`` in place, without a gradient.

    Args:
        x: ``(T * k, C)`` float32 or half precision, contiguous, group by group.
        shared: ``(T, C)``, added to the k members of its group.
        k: Members of a group.

    Returns:
        ``x``.
    """
    rows, channels = x.shape
    if x.numel() == 0:
        return x  # an empty grid cannot be launched
    columns = min(triton.next_power_of_2(channels), _COLUMNS)
    tile = _CELLS // columns
    programs = triton.cdiv(rows, tile) * triton.cdiv(channels, columns)
    with torch.cuda.device_of(x):
        _add_relu[(programs, )](x, shared.contiguous(), rows, k, channels, tile, columns, num_warps=4)
    return x


@triton.jit
def _add_relu(x, shared, rows, K: tl.constexpr, C: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    BLOCKS: tl.constexpr = (C + COLUMNS - 1) // COLUMNS
    program = tl.program_id(0)
    row = (program // BLOCKS * ROWS + tl.arange(0, ROWS))[:, None]
    column = (program % BLOCKS * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    exists = (row < rows) & (column < C)
    x += row.to(tl.int64) * C + column
    total = tl.load(x, exists, 0.).to(tl.float32)
    total += tl.load(shared + (row // K).to(tl.int64) * C + column, exists, 0.).to(tl.float32)
    # This order of the test keeps a NaN, as PyTorch does.
    tl.store(x, tl.where(total <= 0, 0., total).to(x.dtype.element_ty), exists)
