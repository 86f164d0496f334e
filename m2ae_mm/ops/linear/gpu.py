"""Linear layer in the input's dtype whose bias gradient is a Triton sum over rows.

cuBLAS keeps the products and adds the bias. What PyTorch leaves slow is the
bias gradient, a sum over very many rows of few columns: here enough programs
for a whole GPU sum chunks of rows. And the casts: a small launch for each
weight and each gradient, here a few for all weights (:func:`half_copies`) and
none for gradients. No atomics and no host synchronisation: results repeat bit
by bit, and a CUDA graph can record them.
"""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..partial_sums import merge_sums

_ROWS, _COLUMNS, _WARPS = 32, 64, 4
# Four programs per SM of an H100. A constant, so that the order of summation does not depend on the GPU.
_PROGRAMS = 528
# Products of half precision that come out in float32, as they were summed: CUDA only, PyTorch 2.8 and later.
_FLOAT32_PRODUCTS = torch.version.cuda is not None and 'dtype' in torch.ops.aten.mm.overloads()

_copies: dict[tuple[int, torch.dtype], Tensor] = {}  # of the parameter with that id, in that dtype


@contextmanager
def half_copies(module: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Casts all float32 parameters of ``module`` at once; :class:`Linear` within uses the copies.

    Parameters must not change within. Autograd keeps the copies that it needs after the context.
    """
    global _copies
    outer = _copies
    # Named, since ids are those of living parameters only.
    parameters = [parameter for parameter in module.parameters()
                  if parameter.dtype == torch.float32 != dtype and (id(parameter), dtype) not in outer]
    with torch.no_grad():
        copies = [torch.empty_like(parameter, dtype=dtype) for parameter in parameters]
        if copies:
            torch._foreach_copy_(copies, parameters)
    _copies = {**outer, **{(id(parameter), dtype): copy for parameter, copy in zip(parameters, copies)}}
    try:
        yield
    finally:
        _copies = outer


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
        weight = _cast(weight, x.dtype)
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x, weight, None if bias is None else _cast(bias, x.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y: Tensor):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        weight_dtype, bias_dtype = ctx.dtypes
        with torch.autocast(d_y.device.type, enabled=False):
            d_x = d_y @ weight if needs_x else None
            d_weight = _product(d_y.T, x, weight_dtype) if needs_weight else None
        d_bias = column_sum(d_y).to(bias_dtype) if needs_bias else None
        return d_x, d_weight, d_bias


def _cast(parameter: Tensor, dtype: torch.dtype) -> Tensor:
    copy = _copies.get((id(parameter), dtype))
    return parameter.to(dtype) if copy is None else copy


def _product(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """``a @ b`` in ``dtype``, rounded no more than that takes."""
    if _FLOAT32_PRODUCTS and a.is_cuda and dtype == torch.float32 and a.dtype in (torch.bfloat16, torch.float16):
        return torch.mm(a, b, out_dtype=dtype)
    return (a @ b).to(dtype)


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
    return merge_sums(partial)


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
