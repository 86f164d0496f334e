"""Attention within clouds whose tokens lie one after the other, padding and local masks included.

Clouds have different numbers of tokens, so a batch of them is a sequence of
rows. PyTorch's fused kernels would want it padded to the largest and a mask of
all pairs, and some plan anew for every length. Here a program finds the rows
of its cloud, and the radius of local attention is compared with distances that
it computes itself. Exact softmax, block by block of keys, in float32.
"""
import math

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

# Queries and keys that a program holds at a time and its warps, of the forward pass and of the backward passes for
# queries and for keys: the fastest of ten on an H100, all keys seen or only those within a radius. Float32 takes half
# as many: the shared memory of smaller GPUs sets the limit.
_FORWARD = {False: (64, 64, 4), True: (64, 64, 2)}
_FOR_QUERIES = {False: (64, 64, 4), True: (64, 64, 2)}
_FOR_KEYS = {False: (32, 64, 2), True: (64, 64, 2)}
_LOG2_E = tl.constexpr(math.log2(math.e))


class PackedAttention(torch.autograd.Function):
    """Softmax attention of every token on the tokens of its own cloud."""

    @staticmethod
    def forward(ctx, qkv: Tensor, starts: Tensor, counts: Tensor, longest: int, centers: Tensor | None,
                radius: float | None) -> Tensor:
        """Attend.

        Args:
            qkv: ``(R, 3, heads, D)`` queries, keys and values of all tokens.
            starts: ``(B,)`` int64 first row of each cloud. Clouds follow each other, padding follows the last.
            counts: ``(B,)`` int64 rows of each cloud.
            longest: At least the largest of ``counts``.
            centers: ``(R, 3)`` float32 positions, needed with a radius.
            radius: Tokens at this distance or further are left out; None sees all.

        Returns:
            ``(R, heads, D)``, 0 in the padding.
        """
        qkv = qkv.contiguous()
        rows, _, heads, _ = qkv.shape
        output = torch.empty_like(qkv[:, 0], memory_format=torch.contiguous_format)
        sums = torch.empty(heads, rows, dtype=torch.float32, device=qkv.device)
        ctx.save_for_backward(qkv, starts, counts, centers, output, sums)
        ctx.longest, ctx.radius = longest, radius
        options = _options(qkv, radius, _FORWARD)
        with torch.cuda.device_of(qkv):
            _attend[triton.cdiv(longest, options['QUERIES']), heads, len(starts)](
                qkv, starts, counts, _or(centers, qkv), output, sums, rows, heads, **options)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        """Gradient of ``qkv``, 0 in the padding."""
        qkv, starts, counts, centers, output, sums = ctx.saved_tensors
        rows, _, heads, _ = qkv.shape
        d_qkv = torch.empty_like(qkv)
        arguments = (qkv, starts, counts, _or(centers, qkv), output, sums, gradient.contiguous(), d_qkv, rows, heads)
        with torch.cuda.device_of(qkv):
            for kernel, block, shapes in ((_attend_backward_queries, 'QUERIES', _FOR_QUERIES),
                                         (_attend_backward_keys, 'KEYS', _FOR_KEYS)):
                options = _options(qkv, ctx.radius, shapes)
                kernel[triton.cdiv(ctx.longest, options[block]), heads, len(starts)](*arguments, **options)
        return d_qkv, None, None, None, None, None


def _options(qkv: Tensor, radius: float | None, shapes: dict[bool, tuple[int, int, int]]) -> dict:
    queries, keys, warps = shapes[radius is not None]
    width, exact = qkv.shape[-1], qkv.dtype == torch.float32
    outer = 0. if radius is None else float(np.float32(radius**2))
    # Fused multiply-add would decide which distances are below the radius differently from the reference.
    return dict(
        scale=width**-0.5, outer=outer, WIDTH=width, PADDED=max(triton.next_power_of_2(width), 16),
        LOCAL=radius is not None, QUERIES=queries // 2 if exact else queries, KEYS=keys // 2 if exact else keys,
        EXACT=exact, num_warps=warps, enable_fp_fusion=radius is None)


def _or(tensor: Tensor | None, other: Tensor) -> Tensor:
    """A pointer that is never read, in place of None."""
    return other if tensor is None else tensor


@triton.jit
def _product(a, b, EXACT: tl.constexpr):
    """Matrix product; in float32 without the rounding of tensor cores."""
    PRECISION: tl.constexpr = 'ieee' if EXACT else 'tf32'  # which half precision ignores
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def _takes_part(centers, rows, columns, first, count, outer, LOCAL: tl.constexpr):
    """Which pairs of rows and columns of the cloud attend."""
    is_row, is_column = rows < count, columns < count
    result = is_row[:, None] & is_column[None, :]
    if LOCAL:
        left, right = centers + (first + rows) * 3, centers + (first + columns) * 3
        dx = tl.load(left, is_row, 0.)[:, None] - tl.load(right, is_column, 0.)[None, :]
        dy = tl.load(left + 1, is_row, 0.)[:, None] - tl.load(right + 1, is_column, 0.)[None, :]
        dz = tl.load(left + 2, is_row, 0.)[:, None] - tl.load(right + 2, is_column, 0.)[None, :]
        near = (dx * dx + dy * dy + dz * dz < outer) | (rows[:, None] == columns[None, :])
        result = result & near
    return result


@triton.jit
def _clear_padding(values, row_step, end, num_rows, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr):
    """Zeros of one head behind the last cloud, which ends at row ``end``, by the programs of that cloud."""
    if tl.program_id(2) == tl.num_programs(2) - 1:
        channels = tl.arange(0, PADDED)[None, :]
        for start in range(end.to(tl.int32) + tl.program_id(0) * ROWS, num_rows, tl.num_programs(0) * ROWS):
            rows = start + tl.arange(0, ROWS)[:, None]
            tl.store(values + rows.to(tl.int64) * row_step + channels, 0., (rows < num_rows) & (channels < WIDTH))


@triton.jit
def _attend(qkv, starts, counts, centers, output, sums, num_rows, heads, scale, outer, WIDTH: tl.constexpr,
            PADDED: tl.constexpr, LOCAL: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
            EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    _clear_padding(output + head * WIDTH, heads * WIDTH, first + count, num_rows, WIDTH, PADDED, QUERIES)
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    if tl.program_id(0) * QUERIES < count:
        channels = tl.arange(0, PADDED)
        is_channel = channels < WIDTH
        step = 3 * heads * WIDTH  # from a row to the next
        base = qkv + first * step + head * WIDTH
        q = tl.load(base + rows[:, None] * step + channels[None, :], (rows < count)[:, None] & is_channel[None, :], 0.)
        largest = tl.full((QUERIES, ), float('-inf'), tl.float32)
        total = tl.zeros((QUERIES, ), tl.float32)
        result = tl.zeros((QUERIES, PADDED), tl.float32)
        for start in range(0, count, KEYS):
            columns = start + tl.arange(0, KEYS)
            place = columns[:, None] * step + channels[None, :]
            inside = (columns < count)[:, None] & is_channel[None, :]
            k = tl.load(base + heads * WIDTH + place, inside, 0.)
            v = tl.load(base + 2 * heads * WIDTH + place, inside, 0.)
            seen = _takes_part(centers, rows, columns, first, count, outer, LOCAL)
            logits = tl.where(seen, _product(q, tl.trans(k), EXACT) * (scale * _LOG2_E), float('-inf'))
            new = tl.maximum(largest, tl.max(logits, 1))
            # A row that has seen nothing yet has -inf as its largest; 0 in its place keeps NaN away.
            shift = tl.where(new == float('-inf'), 0., new)
            weights = tl.exp2(logits - shift[:, None])
            old = tl.exp2(largest - shift)
            total = total * old + tl.sum(weights, 1)
            result = result * old[:, None] + _product(weights.to(v.dtype), v, EXACT)
            largest = new
        total = tl.where(total == 0., 1., total)
        result = result / total[:, None]
        place = (first + rows[:, None]) * (heads * WIDTH) + head * WIDTH + channels[None, :]
        tl.store(output + place, result.to(output.dtype.element_ty), (rows < count)[:, None] & is_channel[None, :])
        largest = tl.where(largest == float('-inf'), 0., largest)
        tl.store(sums + head * num_rows + first + rows, largest + tl.log2(total), rows < count)


@triton.jit
def _upstream(gradient, output, sums, place, inside, rows, count):
    """Of queries: the gradient of their result, its product with the result, the logarithm of their softmax's sum."""
    d_out = tl.load(gradient + place, inside, 0.)
    shared = tl.sum(d_out.to(tl.float32) * tl.load(output + place, inside, 0.).to(tl.float32), 1)
    return d_out, shared, tl.load(sums + rows, rows < count, 0.)


@triton.jit
def _pairs(q, k, v, d_out, seen, shared, normalizer, scale, EXACT: tl.constexpr):
    """Weights of all pairs of queries and keys, and the gradients of their logits."""
    logits = _product(q, tl.trans(k), EXACT) * (scale * _LOG2_E)
    weights = tl.where(seen, tl.exp2(logits - normalizer[:, None]), 0.)
    return weights, weights * (_product(d_out, tl.trans(v), EXACT) - shared[:, None])


@triton.jit
def _attend_backward_queries(qkv, starts, counts, centers, output, sums, gradient, d_qkv, num_rows, heads, scale,
                             outer, WIDTH: tl.constexpr, PADDED: tl.constexpr, LOCAL: tl.constexpr,
                             QUERIES: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    _clear_padding(d_qkv + head * WIDTH, 3 * heads * WIDTH, first + count, num_rows, WIDTH, PADDED, QUERIES)
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    if tl.program_id(0) * QUERIES < count:
        channels = tl.arange(0, PADDED)
        is_channel = channels < WIDTH
        step = 3 * heads * WIDTH
        base = qkv + first * step + head * WIDTH
        is_own = (rows < count)[:, None] & is_channel[None, :]
        own = rows[:, None] * step + channels[None, :]
        place = (first + rows[:, None]) * (heads * WIDTH) + head * WIDTH + channels[None, :]
        q = tl.load(base + own, is_own, 0.)
        d_out, shared, normalizer = _upstream(gradient, output, sums + head * num_rows + first, place, is_own, rows,
                                              count)
        d_q = tl.zeros((QUERIES, PADDED), tl.float32)
        for start in range(0, count, KEYS):
            columns = start + tl.arange(0, KEYS)
            other = columns[:, None] * step + channels[None, :]
            inside = (columns < count)[:, None] & is_channel[None, :]
            k = tl.load(base + heads * WIDTH + other, inside, 0.)
            v = tl.load(base + 2 * heads * WIDTH + other, inside, 0.)
            seen = _takes_part(centers, rows, columns, first, count, outer, LOCAL)
            _, d_logits = _pairs(q, k, v, d_out, seen, shared, normalizer, scale, EXACT)
            d_q += _product(d_logits.to(k.dtype), k, EXACT)
        tl.store(d_qkv + first * step + head * WIDTH + own, (d_q * scale).to(q.dtype), is_own)


@triton.jit
def _attend_backward_keys(qkv, starts, counts, centers, output, sums, gradient, d_qkv, num_rows, heads, scale,
                          outer, WIDTH: tl.constexpr, PADDED: tl.constexpr, LOCAL: tl.constexpr,
                          QUERIES: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    for part in tl.static_range(1, 3):  # of keys and of values
        _clear_padding(d_qkv + (part * heads + head) * WIDTH, 3 * heads * WIDTH, first + count, num_rows, WIDTH, PADDED,
                       KEYS)
    columns = tl.program_id(0) * KEYS + tl.arange(0, KEYS)
    if tl.program_id(0) * KEYS < count:
        channels = tl.arange(0, PADDED)
        is_channel = channels < WIDTH
        step = 3 * heads * WIDTH
        base = qkv + first * step + head * WIDTH
        own = columns[:, None] * step + channels[None, :]
        is_own = (columns < count)[:, None] & is_channel[None, :]
        k = tl.load(base + heads * WIDTH + own, is_own, 0.)
        v = tl.load(base + 2 * heads * WIDTH + own, is_own, 0.)
        d_k = tl.zeros((KEYS, PADDED), tl.float32)
        d_v = tl.zeros((KEYS, PADDED), tl.float32)
        for start in range(0, count, QUERIES):
            rows = start + tl.arange(0, QUERIES)
            inside = (rows < count)[:, None] & is_channel[None, :]
            place = (first + rows[:, None]) * (heads * WIDTH) + head * WIDTH + channels[None, :]
            q = tl.load(base + rows[:, None] * step + channels[None, :], inside, 0.)
            d_out, shared, normalizer = _upstream(gradient, output, sums + head * num_rows + first, place, inside, rows,
                                                  count)
            seen = _takes_part(centers, rows, columns, first, count, outer, LOCAL)
            weights, d_logits = _pairs(q, k, v, d_out, seen, shared, normalizer, scale, EXACT)
            d_v += _product(tl.trans(weights.to(d_out.dtype)), d_out, EXACT)
            d_k += _product(tl.trans(d_logits.to(q.dtype)), q, EXACT)
        target = d_qkv + first * step + head * WIDTH + own
        tl.store(target + heads * WIDTH, (d_k * scale).to(k.dtype), is_own)
        tl.store(target + 2 * heads * WIDTH, d_v.to(v.dtype), is_own)
