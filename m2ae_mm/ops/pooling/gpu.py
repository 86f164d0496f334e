"""Max-pool over the members of a group, in one pass each way.

PyTorch's ``max`` returns int64 indices, and its backward fills the gradient
with zeros before it scatters. Here a thread owns the same columns of every
member: nothing is exchanged, and the backward writes all members once.
"""
import torch
import triton
import triton.language as tl
from torch import Tensor

_GROUPS, _COLUMNS = 16, 64
# Members whose loads and stores are unrolled, in flight at the same time.
_UNROLLED = 16


def max_over_members(values: Tensor) -> tuple[Tensor, Tensor]:
    """See :func:`m2ae_mm.ops.max_over_members`; float32 or less."""
    groups, k, channels = values.shape
    largest = values.new_empty((groups, channels))
    member = values.new_empty((groups, channels), dtype=torch.int32)
    if largest.numel() == 0:
        return largest, member  # an empty grid cannot be launched
    with torch.cuda.device_of(values):
        _largest[_grid(groups, channels)](values.contiguous(), largest, member, groups, k, channels,
                                          *_tile(k), num_warps=4)
    return largest, member


def max_over_members_backward(gradient: Tensor, member: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.pooling._max_over_members_backward`; float32 or less."""
    groups, channels = gradient.shape
    result = gradient.new_empty((groups, k, channels))
    if gradient.numel() == 0:
        return result
    with torch.cuda.device_of(gradient):
        _spread[_grid(groups, channels)](gradient.contiguous(), member.contiguous(), result, groups, k, channels,
                                         *_tile(k), num_warps=4)
    return result


def _grid(groups: int, channels: int) -> tuple[int, int]:
    return triton.cdiv(groups, _GROUPS), triton.cdiv(channels, _COLUMNS)


def _tile(k: int) -> tuple[int, int, int]:
    return _GROUPS, _COLUMNS, min(triton.next_power_of_2(k), _UNROLLED)


@triton.jit
def _largest(values, largest, member, groups, k, channels, GROUPS: tl.constexpr, COLUMNS: tl.constexpr,
             UNROLLED: tl.constexpr):
    group = tl.program_id(0).to(tl.int64) * GROUPS + tl.arange(0, GROUPS)[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    exists = (group < groups) & (column < channels)
    values += group * k * channels + column
    best = tl.full((GROUPS, COLUMNS), float('-inf'), tl.float32)
    chosen = tl.zeros((GROUPS, COLUMNS), tl.int32)
    for start in range(0, k, UNROLLED):
        for i in tl.static_range(UNROLLED):
            index = tl.full((1, 1), start + i, tl.int32)
            value = tl.load(values + index * channels, exists & (index < k), float('-inf')).to(tl.float32)
            # Not <=: a NaN is taken and then kept, as PyTorch does.
            better = ~(value <= best) & (best == best)
            best = tl.where(better, value, best)
            chosen = tl.where(better, index, chosen)
    tl.store(largest + group * channels + column, best.to(largest.dtype.element_ty), exists)
    tl.store(member + group * channels + column, chosen, exists)


@triton.jit
def _spread(gradient, member, result, groups, k, channels, GROUPS: tl.constexpr, COLUMNS: tl.constexpr,
            UNROLLED: tl.constexpr):
    group = tl.program_id(0).to(tl.int64) * GROUPS + tl.arange(0, GROUPS)[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    exists = (group < groups) & (column < channels)
    cells = group * channels + column
    value = tl.load(gradient + cells, exists, 0.)
    chosen = tl.load(member + cells, exists, 0)
    result += group * k * channels + column
    for start in range(0, k, UNROLLED):
        for i in tl.static_range(UNROLLED):
            index = tl.full((1, 1), start + i, tl.int32)
            tl.store(result + index * channels, tl.where(chosen == index, value, 0.), exists & (index < k))
