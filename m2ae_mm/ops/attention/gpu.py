"""Attention within clouds whose tokens lie one after the other, padding and local masks included.

Clouds have different numbers of tokens, so a batch of them is a sequence of
rows. PyTorch's fused kernels would want it padded to the largest and a mask of
all pairs, and some plan anew for every length. Here a program finds the rows
of its cloud, and of local attention a bit for each pair of tokens
(:mod:`.gpu_pairs`). Exact softmax, block by block of keys, in float32.
"""
import math

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from .gpu_pairs import far_pairs, is_marked, near_marks

__all__ = ['PackedAttention', 'far_pairs', 'near_marks']

# Queries and keys that a program holds at a time and its warps, of the forward pass and of the backward passes for
# queries and for keys: the fastest of ten on an H100, all keys seen or only those within a radius. Float32 and wide
# heads take fewer: the shared memory of smaller GPUs sets the limit.
_FORWARD = {False: (64, 64, 4), True: (64, 64, 2)}
_FOR_QUERIES = {False: (64, 64, 4), True: (64, 64, 2)}
_FOR_KEYS = {False: (32, 64, 2), True: (64, 64, 2)}
# Bytes of a head up to which blocks have their full size.
_WIDEST = 256
_LOG2_E = tl.constexpr(math.log2(math.e))


class PackedAttention(torch.autograd.Function):
    """Softmax attention of every token on the tokens of its own cloud."""

    @staticmethod
    def forward(ctx, qkv: Tensor, starts: Tensor, counts: Tensor, longest: int, marks: Tensor | None) -> Tensor:
        """Attend.

        Args:
            qkv: ``(R, 3, heads, D)`` queries, keys and values of all tokens.
            starts: ``(B,)`` int64 first row of each cloud. Clouds follow each other, padding follows the last.
            counts: ``(B,)`` int64 rows of each cloud.
            longest: At least the largest of ``counts``.
            marks: ``(R, W)`` int32 of :func:`near_marks`: which tokens see each other; None for all.

        Returns:
            ``(R, heads, D)``, 0 in the padding.
        """
        qkv = qkv.contiguous()
        rows, _, heads, _ = qkv.shape
        output = torch.empty_like(qkv[:, 0], memory_format=torch.contiguous_format)
        sums = torch.empty(heads, rows, dtype=torch.float32, device=qkv.device)
        ctx.save_for_backward(qkv, starts, counts, marks, output, sums)
        ctx.longest = longest
        options = _options(qkv, marks, _FORWARD)
        with torch.cuda.device_of(qkv):
            _attend[triton.cdiv(longest, options['QUERIES']), heads, len(starts)](
                qkv, starts, counts, marks, output, sums, rows, heads, **options)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        """Gradient of ``qkv``, 0 in the padding."""
        qkv, starts, counts, marks, output, sums = ctx.saved_tensors
        rows, _, heads, _ = qkv.shape
        d_qkv = torch.empty_like(qkv)
        arguments = qkv, starts, counts, marks, output, sums, gradient.contiguous(), d_qkv, rows, heads
        with torch.cuda.device_of(qkv):
            for kernel, block, shapes in ((_attend_backward_queries, 'QUERIES', _FOR_QUERIES),
                                         (_attend_backward_keys, 'KEYS', _FOR_KEYS)):
                options = _options(qkv, marks, shapes)
                kernel[triton.cdiv(ctx.longest, options[block]), heads, len(starts)](*arguments, **options)
        return d_qkv, None, None, None, None


def _options(qkv: Tensor, marks: Tensor | None, shapes: dict[bool, tuple[int, int, int]]) -> dict:
    queries, keys, warps = shapes[marks is not None]
    width, exact = qkv.shape[-1], qkv.dtype == torch.float32
    padded = max(triton.next_power_of_2(width), 16)
    fewer = (1 + exact) * max(padded * qkv.element_size() // _WIDEST, 1)
    return dict(
        scale=width**-0.5, WIDTH=width, PADDED=padded, WORDS=0 if marks is None else marks.shape[1],
        QUERIES=max(queries // fewer, 16), KEYS=max(keys // fewer, 16), EXACT=exact, num_warps=warps,
        enable_fp_fusion=True)  # which a later Triton would not do by itself


@triton.jit
def _product(a, b, EXACT: tl.constexpr):
    """Matrix product; in float32 without the rounding of tensor cores."""
    PRECISION: tl.constexpr = 'ieee' if EXACT else 'tf32'  # which half precision ignores
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def _takes_part(marks, rows, first_column, columns, count, WORDS: tl.constexpr, COLUMNS: tl.constexpr):
    """Which pairs of rows and COLUMNS columns of the cloud attend."""
    result = (rows < count)[:, None] & (columns < count)[None, :]
    if marks is not None:
        result = is_marked(marks, rows, first_column, columns, count, WORDS, COLUMNS)
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
def _attend(qkv, starts, counts, marks, output, sums, num_rows, heads, scale, WIDTH: tl.constexpr,
            PADDED: tl.constexpr, WORDS: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
            EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    if marks is not None:
        marks += first * WORDS
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
            seen = _takes_part(marks, rows, start, columns, count, WORDS, KEYS)
            logits = tl.where(seen, _product(q, tl.trans(k), EXACT), float('-inf'))
            new = tl.maximum(largest, tl.max(logits, 1) * (scale * _LOG2_E))
            # A row that has seen nothing yet has -inf as its largest; 0 in its place keeps NaN away.
            shift = tl.where(new == float('-inf'), 0., new)
            weights = tl.exp2(logits * (scale * _LOG2_E) - shift[:, None])
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
def _attend_backward_queries(qkv, starts, counts, marks, output, sums, gradient, d_qkv, num_rows, heads, scale,
                             WIDTH: tl.constexpr, PADDED: tl.constexpr, WORDS: tl.constexpr,
                             QUERIES: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    if marks is not None:
        marks += first * WORDS
    for part in tl.static_range(3):  # for keys and values, too: their own kernel has no register to spare
        _clear_padding(d_qkv + (part * heads + head) * WIDTH, 3 * heads * WIDTH, first + count, num_rows, WIDTH, PADDED,
                       QUERIES)
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
            seen = _takes_part(marks, rows, start, columns, count, WORDS, KEYS)
            _, d_logits = _pairs(q, k, v, d_out, seen, shared, normalizer, scale, EXACT)
            d_q += _product(d_logits.to(k.dtype), k, EXACT)
        tl.store(d_qkv + first * step + head * WIDTH + own, (d_q * scale).to(q.dtype), is_own)


@triton.jit
def _attend_backward_keys(qkv, starts, counts, marks, output, sums, gradient, d_qkv, num_rows, heads, scale,
                          WIDTH: tl.constexpr, PADDED: tl.constexpr, WORDS: tl.constexpr,
                          QUERIES: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    head, cloud = tl.program_id(1), tl.program_id(2)
    first, count = tl.load(starts + cloud), tl.load(counts + cloud).to(tl.int32)
    if marks is not None:
        marks += first * WORDS
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
            seen = _takes_part(marks, rows, tl.program_id(0) * KEYS, columns, count, WORDS, KEYS)
            weights, d_logits = _pairs(q, k, v, d_out, seen, shared, normalizer, scale, EXACT)
            d_v += _product(tl.trans(weights.to(d_out.dtype)), d_out, EXACT)
            d_k += _product(tl.trans(d_logits.to(q.dtype)), q, EXACT)
        target = d_qkv + first * step + head * WIDTH + own
        tl.store(target + heads * WIDTH, (d_k * scale).to(k.dtype), is_own)
        tl.store(target + 2 * heads * WIDTH, d_v.to(v.dtype), is_own)
