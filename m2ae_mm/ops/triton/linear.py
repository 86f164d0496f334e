"""Linear layer in the input's dtype whose bias gradient is a Triton sum over rows.

cuBLAS keeps the products and adds the bias. What PyTorch leaves slow is the
bias gradient, a sum over very many rows of few columns: here enough programs
for a whole GPU sum chunks of rows. No atomics and no host synchronisation:
results repeat bit by bit, and a CUDA graph can record them.
"""
import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

_ROWS, _COLUMNS, _WARPS = 32, 64, 4
# Four programs per SM of an H100. A constant, so that the order of summation does not depend on the GPU.
_PROGRAMS = 528


class Linear(torch.autograd.Function):
    """``x @ weight.T + bias`` in the dtype of ``x``, with or without autocast, ``apply(x, weight, bias)``.

    Args:
        x: ``(R, I)`` in float32, bfloat16 or float16.
        weight: ``(O, I)``, its gradient has its dtype.
        bias: ``(O,)``, likewise, or None.

    Returns:
        ``(R, O)`` in the dtype of ``x``.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        weight = weight.to(x.dtype)
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x, weight, None if bias is None else bias.to(x.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y: Tensor):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        weight_dtype, bias_dtype = ctx.dtypes
        with torch.autocast(d_y.device.type, enabled=False):
            d_x = d_y @ weight if needs_x else None
            d_weight = (d_y.T @ x).to(weight_dtype) if needs_weight else None
        d_bias = column_sum(d_y).to(bias_dtype) if needs_bias else None
        return d_x, d_weight, d_bias


def column_sum(values: Tensor) -> Tensor:
    """Sum over rows in float32.

    Args:
        values: ``(R, O)``.

    Returns:
        ``(O,)`` in float32.
    """
    rows, columns = values.shape
    blocks = triton.cdiv(columns, _COLUMNS)
    chunks = min(triton.cdiv(rows, _ROWS), max(_PROGRAMS // max(blocks, 1), 1))
    partial = torch.empty((chunks, columns), dtype=torch.float32, device=values.device)
    if partial.numel():  # an empty grid cannot be launched
        with torch.cuda.device_of(values):
            _sum_chunks[(blocks, chunks)](values.contiguous(), partial, rows, columns, _ROWS, _COLUMNS,
                                          num_warps=_WARPS)
    return partial.sum(0)


@triton.jit
def _sum_chunks(values, partial, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    is_column = column < columns
    # Summed over a tile's rows only after the loop: in it every thread adds to its own registers.
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(tl.program_id(1) * ROWS, rows, tl.num_programs(1) * ROWS):
        row = start + tl.arange(0, ROWS)
        inside = (row < rows)[:, None] & is_column[None, :]
        cells = row.to(tl.int64)[:, None] * columns + column[None, :]
        sums += tl.load(values + cells, inside, 0.).to(tl.float32)
    tl.store(partial + tl.program_id(1) * columns + column, tl.sum(sums, 0), is_column)
