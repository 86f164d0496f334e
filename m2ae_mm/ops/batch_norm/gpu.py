"""BatchNorm and ReLU of grouped rows in training, with a vector per group added first.

PyTorch runs a kernel for each of add, BatchNorm and ReLU and several for their
backward; all of them only move memory. Here the forward reads ``x`` twice and
writes ``y``, the backward reads ``x`` and the gradient twice and writes
``d_x``: neither the sum nor the sign of ``y`` is kept, both are recomputed
from ``x``. Only the first ``count`` groups are real, a number that the host
never reads: the launches are the same for every batch, as CUDA graphs need.

Tiles are (GROUPS, COLUMNS) of every member in turn: a thread owns the same
columns of all members of a group, so that it loads once what the columns or
the members share and sums over members without any other thread. Sums over
groups stay in registers, one for each place in the tile, until a program has
seen all its tiles; programs are merged by a second kernel, always in the same
order.
"""
import math

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..partial_sums import merge_sums

# A thread's eight columns are 16 bytes in half precision; a row of a tile is 128 bytes without a gap.
_GROUPS, _COLUMNS = 16, 64
# Rows that a thread goes through at least, to load for them what columns share: those of several groups if need be.
_LEAST_MEMBERS = 4
# Members whose loads are in flight at the same time where nothing is stored between them.
_UNROLLED = 8
# A reduction has as many programs as the 132 SMs of an H100 hold at a time, limited by its registers: more would run
# alone when the others are done. A constant, so that the order of summation does not depend on the GPU.
_PROGRAMS = 132 * 5
_MERGED_COLUMNS = 8
# Without fused multiply-add the sign that the backward recomputes is that of the forward in every kernel.
_OPTIONS = dict(num_warps=4, enable_fp_fusion=False)


class BatchNormReLU(torch.autograd.Function):
    """``relu(batch_norm(x + shared))`` over the real rows.

    Args:
        x: ``(M, C)`` float32 or half precision, contiguous; ``M = T * k`` rows, group by group.
        shared: ``(T, C)`` like ``x``, added to all members of its group, or None.
        k: Members of a group.
        count: int64, one element: the first ``count`` of the T groups are real. The rows of the others may hold
            anything; their ``y`` and gradients are 0.
        weight, bias: ``(C,)`` float32.
        eps: Added to the variance.

    Returns:
        ``y`` (M, C) like ``x``; mean and unbiased variance (C,) float32, for the running statistics only.
    """

    @staticmethod
    def forward(ctx, x: Tensor, shared: Tensor | None, k: int, count: Tensor, weight: Tensor, bias: Tensor,
                eps: float) -> tuple[Tensor, Tensor, Tensor]:
        groups, channels = x.shape[0] // k, x.shape[1]
        y = torch.empty_like(x)
        mean, variance, unbiased = torch.empty((3, channels), dtype=torch.float32, device=x.device)
        constants = _tile(k, channels, shared is not None)
        programs, tiles = _grids(groups, channels, constants)
        partial = weight.new_empty(3, programs[0], channels)
        with torch.cuda.device_of(x):
            _statistics[programs](x, shared, count, partial, groups, **constants, **_OPTIONS)
            _merge_statistics[(triton.cdiv(channels, _MERGED_COLUMNS), )](
                partial, mean, variance, unbiased, programs[0], channels, triton.next_power_of_2(programs[0]),
                _MERGED_COLUMNS, **_OPTIONS)
            _normalize[tiles](x, shared, count, mean, variance, weight, bias, y, groups, eps, **constants,
                              **_OPTIONS)
        ctx.save_for_backward(x, shared, count, weight, bias, mean, variance)
        ctx.k, ctx.eps = k, eps
        ctx.mark_non_differentiable(mean, unbiased)
        ctx.set_materialize_grads(False)  # no zeros for the gradients of the statistics
        return y, mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y: Tensor, *_) -> tuple[Tensor | None, ...]:
        x, shared, count, *norm = ctx.saved_tensors
        weight, bias, mean, variance = norm
        groups, channels = x.shape[0] // ctx.k, x.shape[1]
        d_y, d_x = d_y.contiguous(), torch.empty_like(x)
        d_shared = None if shared is None else torch.empty_like(shared)
        constants = _tile(ctx.k, channels, shared is not None)
        programs, tiles = _grids(groups, channels, constants)
        partial = weight.new_empty(programs[0], 2, channels)
        inputs = x, shared, count, mean, variance, weight, bias, d_y
        with torch.cuda.device_of(x):
            _sum_gradients[programs](*inputs, partial, groups, ctx.eps, **constants, **_OPTIONS)
            sums = merge_sums(partial)
            _differentiate[tiles](*inputs, sums, d_x, d_shared, groups, ctx.eps, **constants, **_OPTIONS)
        d_bias, d_weight = sums
        return d_x, d_shared, None, None, d_weight, d_bias, None


def _tile(k: int, channels: int, shared: bool) -> dict[str, int | bool]:
    """Constants of the kernels that go over tiles."""
    groups = _GROUPS * max(_LEAST_MEMBERS // k, 1)
    return dict(K=k, C=channels, SHARED=shared, GROUPS=groups, COLUMNS=_COLUMNS, UNROLLED=math.gcd(k, _UNROLLED))


def _grids(groups: int, channels: int, constants: dict[str, int | bool]) -> tuple[tuple[int, int], tuple[int]]:
    """Of a reduction, (programs, blocks of columns), and of a kernel with a program for each tile."""
    blocks = triton.cdiv(channels, _COLUMNS)
    tiles = max(triton.cdiv(groups, constants['GROUPS']), 1)  # an empty grid cannot be launched
    return (min(max(_PROGRAMS // blocks, 1), tiles), blocks), (tiles * blocks, )


@triton.jit
def _real_groups(count, groups):
    return tl.minimum(tl.load(count), groups).to(tl.int32)


@triton.jit
def _places(tile, block, C: tl.constexpr, GROUPS: tl.constexpr, COLUMNS: tl.constexpr):
    """Groups (G, 1) and columns (1, C) of a tile, and which columns exist."""
    column = block * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    return (tile * GROUPS + tl.arange(0, GROUPS)[:, None]).to(tl.int64), column, column < C


@triton.jit
def _common(shared, group, column, real, C: tl.constexpr, SHARED: tl.constexpr):
    """What is added to all members of a group, in float32."""
    common = -0.  # which the compiler need not add
    if SHARED:
        common = tl.load(shared + group * C + column, real, 0.).to(tl.float32)
    return common


@triton.jit
def _scales(mean, variance, weight, bias, eps, column, C: tl.constexpr):
    """``mean``, reciprocal deviation, ``weight`` and ``bias`` of the columns; 0 for columns that do not exist."""
    exists = column < C
    inverse = tl.rsqrt(tl.load(variance + column, exists, 1.) + eps)
    mean, weight, bias = mean + column, weight + column, bias + column
    return tl.load(mean, exists, 0.), inverse, tl.load(weight, exists, 0.), tl.load(bias, exists, 0.)


@triton.jit
def _deviation_and_gradient(x, d_y, common, mean, scale, bias):
    """Of a member: its distance from the mean, and the gradient behind the ReLU, in float32.

    The sign is that of the forward: the same expression, from the same values.
    """
    deviation = x.to(tl.float32) + common - mean
    return deviation, tl.where(deviation * scale + bias <= 0, 0., d_y.to(tl.float32))


@triton.jit
def _combine(seen, mean, squares):
    """Chan's formula along the first axis: ``seen`` rows with ``mean`` and ``squares`` of deviations from it."""
    total = tl.sum(seen, 0)
    inverse = 1. / tl.maximum(total, 1.)
    center = tl.sum(seen * mean, 0) * inverse
    center += tl.sum(seen * (mean - center[None, :]), 0) * inverse  # what rounding left of a large mean
    deviation = mean - center[None, :]
    return total, center, tl.sum(squares + seen * deviation * deviation, 0)


@triton.jit
def _statistics(x, shared, count, partial, groups, K: tl.constexpr, C: tl.constexpr, SHARED: tl.constexpr,
                GROUPS: tl.constexpr, COLUMNS: tl.constexpr, UNROLLED: tl.constexpr):
    """``partial`` (3, programs, C): rows that a program has seen, their mean, their squared deviations from it."""
    program, programs, block = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    num_real = _real_groups(count, groups)
    # Each place in the tile follows its own mean (Welford): nothing cancels and no threads exchange anything.
    seen = tl.zeros((GROUPS, COLUMNS), tl.float32)
    mean = tl.zeros((GROUPS, COLUMNS), tl.float32)
    squares = tl.zeros((GROUPS, COLUMNS), tl.float32)
    step = 0.
    for tile in range(program, tl.cdiv(num_real, GROUPS), programs):
        group, column, exists = _places(tile, block, C, GROUPS, COLUMNS)
        real = (group < num_real) & exists
        common = _common(shared, group, column, real, C, SHARED)
        member = x + group * (K * C) + column
        for _ in range(0, K, UNROLLED):
            for i in tl.static_range(UNROLLED):
                step += 1.
                z = tl.load(member + i * C, real, 0.).to(tl.float32) + common
                deviation = tl.where(real, z - mean, 0.)
                mean += deviation * (1. / step)
                squares += deviation * deviation * (1. - 1. / step)
            member += UNROLLED * C
        seen += tl.where(real, 1. * K, 0.)
    seen, mean, squares = _combine(seen, mean, squares)
    column = block * COLUMNS + tl.arange(0, COLUMNS)
    partial += program * C + column
    tl.store(partial, seen, column < C)
    tl.store(partial + programs * C, mean, column < C)
    tl.store(partial + 2 * programs * C, squares, column < C)


@triton.jit
def _merge_statistics(partial, mean, variance, unbiased, programs, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    row, exists = tl.arange(0, ROWS)[:, None], column < channels
    cells, inside = partial + row * channels + column[None, :], (row < programs) & exists[None, :]
    total, center, squares = _combine(
        tl.load(cells, inside, 0.), tl.load(cells + programs * channels, inside, 0.),
        tl.load(cells + 2 * programs * channels, inside, 0.))
    tl.store(mean + column, center, exists)
    tl.store(variance + column, squares / tl.maximum(total, 1.), exists)
    tl.store(unbiased + column, squares / tl.maximum(total - 1., 1.), exists)


@triton.jit
def _normalize(x, shared, count, mean, variance, weight, bias, y, groups, eps, K: tl.constexpr, C: tl.constexpr,
               SHARED: tl.constexpr, GROUPS: tl.constexpr, COLUMNS: tl.constexpr, UNROLLED: tl.constexpr):
    BLOCKS: tl.constexpr = (C + COLUMNS - 1) // COLUMNS
    # Last rows first: the statistics have just read them, the L2 cache may still hold them.
    program = tl.num_programs(0) - 1 - tl.program_id(0)
    group, column, exists = _places(program // BLOCKS, program % BLOCKS, C, GROUPS, COLUMNS)
    real, inside = (group < _real_groups(count, groups)) & exists, (group < groups) & exists
    mean, inverse, weight, bias = _scales(mean, variance, weight, bias, eps, column, C)
    common, scale = _common(shared, group, column, real, C, SHARED), inverse * weight
    first = group * (K * C) + column
    x, y = x + first, y + first
    following = tl.load(x, real, 0.)
    for start in range(0, K, UNROLLED):
        more = real & (start + UNROLLED < K)
        for i in tl.static_range(UNROLLED):
            z = following.to(tl.float32) + common
            # Before this one is stored: no load can be taken past a store.
            following = tl.load(x + (i + 1) * C, real if i + 1 < UNROLLED else more, 0.)
            normal = (z - mean) * scale + bias
            # This order of the test keeps a NaN, as PyTorch does.
            result = tl.where(real & ~(normal <= 0), normal, 0.)
            tl.store(y + i * C, result.to(y.dtype.element_ty), inside)
        x, y = x + UNROLLED * C, y + UNROLLED * C


@triton.jit
def _sum_gradients(x, shared, count, mean, variance, weight, bias, d_y, partial, groups, eps, K: tl.constexpr,
                   C: tl.constexpr, SHARED: tl.constexpr, GROUPS: tl.constexpr, COLUMNS: tl.constexpr,
                   UNROLLED: tl.constexpr):
    """``partial`` (programs, 2, C): sums of the gradient of the bias and of that of the weight."""
    program, programs, block = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    num_real = _real_groups(count, groups)
    column = block * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    mean, inverse, weight, bias = _scales(mean, variance, weight, bias, eps, column, C)
    scale = inverse * weight
    d_bias = tl.zeros((GROUPS, COLUMNS), tl.float32)
    d_weight = tl.zeros((GROUPS, COLUMNS), tl.float32)
    for tile in range(program, tl.cdiv(num_real, GROUPS), programs):
        group, column, exists = _places(tile, block, C, GROUPS, COLUMNS)
        real = (group < num_real) & exists
        common = _common(shared, group, column, real, C, SHARED)
        member = group * (K * C) + column
        for _ in range(0, K, UNROLLED):
            for i in tl.static_range(UNROLLED):
                place = member + i * C
                deviation, gradient = _deviation_and_gradient(
                    tl.load(x + place, real, 0.), tl.load(d_y + place, real, 0.), common, mean, scale, bias)
                d_bias += gradient
                d_weight += gradient * deviation
            member += UNROLLED * C
    column = block * COLUMNS + tl.arange(0, COLUMNS)
    cells = partial + 2 * program * C + column
    tl.store(cells, tl.sum(d_bias, 0), column < C)
    tl.store(cells + C, tl.sum(d_weight * inverse, 0), column < C)


@triton.jit
def _differentiate(x, shared, count, mean, variance, weight, bias, d_y, sums, d_x, d_shared, groups, eps,
                   K: tl.constexpr, C: tl.constexpr, SHARED: tl.constexpr, GROUPS: tl.constexpr,
                   COLUMNS: tl.constexpr, UNROLLED: tl.constexpr):
    """``d_x`` and ``d_shared`` from the ``sums`` (2, C) over all rows."""
    BLOCKS: tl.constexpr = (C + COLUMNS - 1) // COLUMNS
    program = tl.num_programs(0) - 1 - tl.program_id(0)  # last rows first, as in the forward
    group, column, exists = _places(program // BLOCKS, program % BLOCKS, C, GROUPS, COLUMNS)
    num_real = _real_groups(count, groups)
    real, inside = (group < num_real) & exists, (group < groups) & exists
    mean, inverse, weight, bias = _scales(mean, variance, weight, bias, eps, column, C)
    common, scale = _common(shared, group, column, real, C, SHARED), inverse * weight
    share = scale / (tl.maximum(num_real, 1).to(tl.float32) * K)
    shift = share * tl.load(sums + column, exists, 0.)
    slope = share * inverse * tl.load(sums + C + column, exists, 0.)
    first = group * (K * C) + column
    x, d_y, d_x = x + first, d_y + first, d_x + first
    total = tl.zeros((GROUPS, COLUMNS), tl.float32)
    following, outer = tl.load(x, real, 0.), tl.load(d_y, real, 0.)
    for start in range(0, K, UNROLLED):
        more = real & (start + UNROLLED < K)
        for i in tl.static_range(UNROLLED):
            deviation, gradient = _deviation_and_gradient(following, outer, common, mean, scale, bias)
            # Before this one is stored: no load can be taken past a store.
            following = tl.load(x + (i + 1) * C, real if i + 1 < UNROLLED else more, 0.)
            outer = tl.load(d_y + (i + 1) * C, real if i + 1 < UNROLLED else more, 0.)
            d_z = tl.where(real, scale * gradient - shift - deviation * slope, 0.)
            tl.store(d_x + i * C, d_z.to(d_x.dtype.element_ty), inside)
            total += d_z
        x, d_y, d_x = x + UNROLLED * C, d_y + UNROLLED * C, d_x + UNROLLED * C
    if SHARED:
        tl.store(d_shared + group * C + column, total.to(d_shared.dtype.element_ty), inside)
