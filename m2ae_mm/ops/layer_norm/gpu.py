"""LayerNorm fused with the residual add before it, forward and backward in one kernel each.

A transformer step in half precision is bound by memory here: PyTorch adds,
casts, normalises and reduces weight gradients in separate passes, and its
kernel for the gradients of weight and bias is slow for many rows of few
channels. These read every tensor once and write every result once; the bias of
the product before the add is added here too, so that its gradient needs no
pass of its own. Arithmetic and statistics are float32 whatever the tensors'
dtype. No atomics and no host synchronisation: results repeat bit by bit, and a
CUDA graph can record them.
"""
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..partial_sums import merge_sums

# Values per tile: 16 per thread, two 16-byte loads in half precision. A warp then holds whole rows of up to 256
# channels, and the backward loop needs no barrier.
_FORWARD_TILE, _FORWARD_WARPS = 2048, 4
_BACKWARD_TILE, _BACKWARD_WARPS = 4096, 8
# Programs of the backward pass, each with its own partial sums: two per SM of an H100 at 8 warps. A constant, so
# that the order of summation does not depend on the GPU. Two fit with at most 128 registers a thread.
_PROGRAMS = 264
_LIMIT = {'maxnreg': 128} if torch.version.hip is None else {}


class AddLayerNorm(torch.autograd.Function):
    """``total = x + position + factor * (delta + delta_bias)`` and its LayerNorm.

    ``apply(x, position, delta, delta_bias, factor, weight, bias, eps)``.

    Args:
        x: ``(R, C)`` in float32, bfloat16 or float16.
        position: ``(R, C)`` in the dtype of ``x``, or None.
        delta: ``(R, C)`` in the dtype of ``x``, or None.
        delta_bias: ``(C,)`` in float32, or None.
        factor: ``(R,)`` in float32, multiplies what is added to the rows (stochastic depth); no gradient. None for 1.
        weight: ``(C,)`` in float32, or None: nothing is normalised.
        bias: ``(C,)`` in float32, or None like ``weight``.
        eps: Added to the variance.

    Returns:
        ``total`` and ``normed``, both ``(R, C)`` in the dtype of ``x``, and ``position``. The rounded ``total`` is
        what is normalised; without a weight ``normed`` is None. Use the ``position`` that is returned where it is
        added once more: its gradient is then summed on the way.
    """

    @staticmethod
    def forward(ctx, x: Tensor, position: Tensor | None, delta: Tensor | None, delta_bias: Tensor | None,
                factor: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float):
        ctx.set_materialize_grads(False)
        added = [None if each is None else each.contiguous() for each in (position, delta, delta_bias, factor)]
        ctx.has_position, ctx.has_delta, ctx.has_delta_bias = (each is not None for each in added[:3])
        total, normed, mean, rstd = _normalize(x.contiguous(), *added, weight, bias, eps)
        ctx.save_for_backward(None if weight is None else total, added[3], weight, mean, rstd)
        return total, normed, position

    @staticmethod
    @once_differentiable
    def backward(ctx, d_total: Tensor | None, d_normed: Tensor | None, d_position: Tensor | None):
        if d_total is None and d_normed is None:
            return None, d_position, *[None] * 6
        d_x, d_sum, d_delta, sums = _gradients(ctx.saved_tensors, d_total, d_normed, d_position, ctx.has_delta_bias)
        d_weight, d_bias = (None, None) if d_normed is None else sums[:2]
        return (d_x, d_sum if ctx.has_position else None, d_delta if ctx.has_delta else None,
                sums[-1] if ctx.has_delta_bias else None, None, d_weight, d_bias, None)


def _normalize(x: Tensor, position: Tensor | None, delta: Tensor | None, delta_bias: Tensor | None,
               factor: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float):
    """``(R, C)`` total and normed, ``(R,)`` mean and reciprocal deviation; without a weight the total only.

    The last two are 1 % of the bytes moved or less; the backward pass would pay more for reducing every row twice
    again than it does for reading them.
    """
    rows, channels = x.shape
    total = torch.empty_like(x)
    normed = mean = rstd = None
    if weight is not None:
        normed = torch.empty_like(x)
        mean, rstd = torch.empty((2, rows), dtype=torch.float32, device=x.device)
    block, tile_rows = _tile(channels, _FORWARD_TILE)
    if rows:  # an empty grid cannot be launched
        with torch.cuda.device_of(x):
            _forward[(triton.cdiv(rows, tile_rows), )](
                x, position, delta, delta_bias, factor, weight, bias, total, normed, mean, rstd, rows, eps, channels,
                tile_rows, block, num_warps=_FORWARD_WARPS)
    return total, normed, mean, rstd


def _gradients(saved: Sequence[Tensor | None], d_total: Tensor | None, d_normed: Tensor | None,
               d_position: Tensor | None, has_delta_bias: bool):
    """Gradients of ``x``, of ``position`` and of ``delta``, all ``(R, C)``, and ``(sums, C)``.

    The sums are the gradients of weight and bias, with a ``d_normed`` only, and of ``delta_bias`` if there is one.
    What equals the gradient of ``x`` is the same tensor.
    """
    total, factor, weight, mean, rstd = saved
    d_total, d_normed, d_position = (None if each is None else each.contiguous()
                                     for each in (d_total, d_normed, d_position))
    upstream = d_total if d_normed is None else d_normed
    rows, channels = upstream.shape
    d_x = None if d_normed is None else torch.empty_like(upstream)
    d_sum = None if d_position is None else torch.empty_like(upstream)
    d_delta = None if factor is None else torch.empty_like(upstream)
    sums = 2 * (d_normed is not None) + has_delta_bias
    block, tile_rows = _tile(channels, _BACKWARD_TILE)
    programs = min(triton.cdiv(rows, tile_rows), _PROGRAMS)
    partial = torch.empty((programs, sums, channels), dtype=torch.float32, device=upstream.device)
    if programs and (sums or d_sum is not None or d_delta is not None):
        with torch.cuda.device_of(upstream):
            _backward[(programs, )](
                total, d_total, d_normed, d_position, factor, weight, mean, rstd, d_x, d_sum, d_delta, partial, rows,
                channels, tile_rows, block, sums, num_warps=_BACKWARD_WARPS, **_LIMIT)
    d_x = d_total if d_x is None else d_x
    return d_x, d_x if d_sum is None else d_sum, d_x if d_delta is None else d_delta, merge_sums(partial)


def _tile(channels: int, size: int) -> tuple[int, int]:
    """Columns and rows of a tile, powers of two."""
    block = triton.next_power_of_2(channels)
    return block, max(size // block, 1)


@triton.jit
def _forward(x, position, delta, delta_bias, factor, weight, bias, total, normed, mean, rstd, rows, eps,
             CHANNELS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    is_row, is_column = row < rows, column < CHANNELS
    inside = is_row[:, None] & is_column[None, :]
    cells = row.to(tl.int64)[:, None] * CHANNELS + column[None, :]
    values = tl.load(x + cells, inside, 0.).to(tl.float32)
    if position is not None:
        values += tl.load(position + cells, inside, 0.).to(tl.float32)
    if delta is not None:
        added = tl.load(delta + cells, inside, 0.).to(tl.float32)
        if delta_bias is not None:
            added += tl.load(delta_bias + column, is_column, 0.).to(tl.float32)[None, :]
        if factor is not None:
            added = added * tl.load(factor + row, is_row, 0.)[:, None]
        values += added
    rounded = values.to(total.dtype.element_ty)
    tl.store(total + cells, rounded, inside)
    if weight is not None:
        values = rounded.to(tl.float32)
        center = tl.sum(values, 1) / CHANNELS
        values = tl.where(is_column[None, :], values - center[:, None], 0.)
        scale = tl.rsqrt(tl.sum(values * values, 1) / CHANNELS + eps)
        gain = tl.load(weight + column, is_column, 0.).to(tl.float32)[None, :]
        shift = tl.load(bias + column, is_column, 0.).to(tl.float32)[None, :]
        result = values * scale[:, None] * gain + shift
        tl.store(normed + cells, result.to(normed.dtype.element_ty), inside)
        tl.store(mean + row, center, is_row)
        tl.store(rstd + row, scale, is_row)


@triton.jit
def _backward(total, d_total, d_normed, d_position, factor, weight, mean, rstd, d_x, d_sum, d_delta, partial,
              rows, CHANNELS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, SUMS: tl.constexpr):
    """Tiles of rows in turn; ``partial`` ``(programs, SUMS, C)`` gets each program's sums.

    For weight and bias, if there is a ``d_normed``, and, of an odd number, for ``delta_bias``. What is None is not
    there or not wanted.
    """
    column = tl.arange(0, BLOCK)
    is_column = column < CHANNELS
    # Summed over a tile's rows only after the loop: in it every thread adds to its own registers.
    if d_normed is not None:
        gain = tl.load(weight + column, is_column, 0.).to(tl.float32)[None, :]
        d_weight = tl.zeros((ROWS, BLOCK), tl.float32)
        d_bias = tl.zeros((ROWS, BLOCK), tl.float32)
    if SUMS % 2 == 1:
        d_delta_bias = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(tl.program_id(0) * ROWS, rows, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS)
        is_row = row < rows
        inside = is_row[:, None] & is_column[None, :]
        cells = row.to(tl.int64)[:, None] * CHANNELS + column[None, :]
        # All loads first: they wait for memory together.
        if d_normed is not None:
            values = tl.load(total + cells, inside, 0.)
            outer = tl.load(d_normed + cells, inside, 0.)
            center = tl.load(mean + row, is_row, 0.)[:, None]
            scale = tl.load(rstd + row, is_row, 0.)[:, None]
        if d_total is not None:
            direct = tl.load(d_total + cells, inside, 0.)
        if d_position is not None:
            further = tl.load(d_position + cells, inside, 0.)
        if factor is not None:
            kept = tl.load(factor + row, is_row, 0.)[:, None]
        result = tl.zeros((ROWS, BLOCK), tl.float32)
        if d_normed is not None:
            values = (values.to(tl.float32) - center) * scale
            outer = outer.to(tl.float32)
            # Beyond the last row or column ``outer`` is 0, which keeps ``values`` there out of every sum.
            d_weight += outer * values
            d_bias += outer
            inner = outer * gain
            common = (tl.sum(inner, 1) / CHANNELS)[:, None]
            along = (tl.sum(inner * values, 1) / CHANNELS)[:, None]
            result = (inner - common - values * along) * scale
        if d_total is not None:
            result += direct.to(tl.float32)
        if d_x is not None:
            tl.store(d_x + cells, result.to(d_x.dtype.element_ty), inside)
        if d_position is not None:
            tl.store(d_sum + cells, (result + further.to(tl.float32)).to(d_sum.dtype.element_ty), inside)
        if factor is not None:
            result *= kept
        if d_delta is not None:
            tl.store(d_delta + cells, result.to(d_delta.dtype.element_ty), inside)
        if SUMS % 2 == 1:
            d_delta_bias += result
    partial += tl.program_id(0) * SUMS * CHANNELS + column
    if d_normed is not None:
        tl.store(partial, tl.sum(d_weight, 0), is_column)
        tl.store(partial + CHANNELS, tl.sum(d_bias, 0), is_column)
    if SUMS % 2 == 1:
        tl.store(partial + (SUMS - 1) * CHANNELS, tl.sum(d_delta_bias, 0), is_column)
