"""The end of a sum over rows of which many programs have each taken a part."""
import torch
import triton
import triton.language as tl
from torch import Tensor

# 32 bytes, the least that a GPU reads, for as many programs as possible.
_COLUMNS = 8


def merge_sums(partial: Tensor) -> Tensor:
    """Sum over the programs, always in the same order.

    PyTorch's own kernel, made for larger sums, takes 6.6 us of an H100 for each of these.

    Args:
        partial: ``(programs, ...)`` float32, contiguous; some hundred programs.

    Returns:
        ``(...)`` float32.
    """
    programs, shape = partial.shape[0], partial.shape[1:]
    total = torch.empty(shape, dtype=partial.dtype, device=partial.device)
    columns = total.numel()
    if columns:  # an empty grid cannot be launched
        with torch.cuda.device_of(partial):
            _merge[(triton.cdiv(columns, _COLUMNS), )](
                partial, total, programs, columns, triton.next_power_of_2(max(programs, 1)), _COLUMNS, num_warps=4)
    return total


@triton.jit
def _merge(partial, total, programs, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row, column = tl.arange(0, ROWS)[:, None], tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < programs) & (column < columns)[None, :]
    values = tl.load(partial + row * columns + column[None, :], inside, 0.)
    tl.store(total + column, tl.sum(values, 0), column < columns)
