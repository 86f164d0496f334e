"""GELU of a product with its bias, forward and backward in one kernel each.

The product itself then needs no bias and the sum before the GELU is never
written. The gradient of the bias is summed by the kernel that computes the
gradient of ``x``, whose values it has at hand. No atomics and no host
synchronisation: results repeat bit by bit, and a CUDA graph can record them.
"""
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..partial_sums import merge_sums

# 16 values per thread, two 16-byte accesses per tensor in half precision; a row of a tile is 256 bytes without a gap.
_ROWS, _COLUMNS, _WARPS = 16, 128, 4
# Programs of the backward pass, each with its own partial sums: five per SM of an H100, whose registers hold six. A
# constant, so that the order of summation does not depend on the GPU.
_PROGRAMS = 660


class BiasGelu(torch.autograd.Function):
    """``gelu(x + bias)``, the exact GELU by the error function, ``apply(x, bias)``; arithmetic is float32.

    Args:
        x: ``(R, C)`` in float32, bfloat16 or float16.
        bias: ``(C,)`` in float32.

    Returns:
        ``(R, C)`` in the dtype of ``x``.
    """

    @staticmethod
    def forward(ctx, x: Tensor, bias: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, bias)
        y = torch.empty_like(x)
        rows, columns = x.shape
        if y.numel():  # an empty grid cannot be launched
            with torch.cuda.device_of(x):
                _forward[(triton.cdiv(rows, _ROWS) * triton.cdiv(columns, _COLUMNS), )](
                    x, bias, y, rows, columns, _ROWS, _COLUMNS, num_warps=_WARPS)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y: Tensor) -> tuple[Tensor, Tensor]:
        x, bias = ctx.saved_tensors
        d_x = torch.empty_like(x)
        rows, columns = x.shape
        blocks = triton.cdiv(columns, _COLUMNS)
        chunks = min(triton.cdiv(rows, _ROWS), max(_PROGRAMS // max(blocks, 1), 1))
        partial = torch.empty((chunks, columns), dtype=torch.float32, device=x.device)
        if partial.numel():
            with torch.cuda.device_of(x):
                _backward[(blocks, chunks)](x, bias, d_y.contiguous(), d_x, partial, rows, columns, _ROWS, _COLUMNS,
                                            num_warps=_WARPS)
        return d_x, merge_sums(partial)


@triton.jit
def _forward(x, bias, y, rows, CHANNELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """A tile; neighbours in a row follow each other, so that programs that run together read whole rows."""
    blocks: tl.constexpr = (CHANNELS + COLUMNS - 1) // COLUMNS
    row = tl.program_id(0) // blocks * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) % blocks * COLUMNS + tl.arange(0, COLUMNS)
    is_column = column < CHANNELS
    inside = (row < rows)[:, None] & is_column[None, :]
    cells = row.to(tl.int64)[:, None] * CHANNELS + column[None, :]
    shift = tl.load(bias + column, is_column, 0.).to(tl.float32)[None, :]
    values = tl.load(x + cells, inside, 0.).to(tl.float32) + shift
    tl.store(y + cells, (values * _normal_cdf(values)).to(y.dtype.element_ty), inside)


@triton.jit
def _backward(x, bias, d_y, d_x, partial, rows, CHANNELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Tiles of rows in turn; ``partial`` ``(chunks, C)`` gets each program's sums for the bias."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    is_column = column < CHANNELS
    shift = tl.load(bias + column, is_column, 0.).to(tl.float32)[None, :]
    # Summed over a tile's rows only after the loop: in it every thread adds to its own registers.
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(tl.program_id(1) * ROWS, rows, tl.num_programs(1) * ROWS):
        row = start + tl.arange(0, ROWS)
        inside = (row < rows)[:, None] & is_column[None, :]
        cells = row.to(tl.int64)[:, None] * CHANNELS + column[None, :]
        # Both loads first: they wait for memory together.
        values = tl.load(x + cells, inside, 0.)
        outer = tl.load(d_y + cells, inside, 0.)
        values = values.to(tl.float32) + shift
        density = tl.exp(-0.5 * values * values) * 0.3989422804014327  # 1 / sqrt(2 pi)
        result = outer.to(tl.float32) * (_normal_cdf(values) + values * density)
        tl.store(d_x + cells, result.to(d_x.dtype.element_ty), inside)
        sums += result
    tl.store(partial + tl.program_id(1) * CHANNELS + column, tl.sum(sums, 0), is_column)


@triton.jit
def _normal_cdf(values):
    return 0.5 + 0.5 * tl.erf(values * 0.7071067811865476)  # 1 / sqrt(2)
