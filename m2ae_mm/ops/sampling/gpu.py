"""Furthest point sampling: one program per cloud, several for a cloud beyond the registers of one."""
import functools

import torch
import triton
import triton.language as tl
from torch import Tensor

# Coordinates and distances of this many points fit the registers of 32 warps.
_LARGEST_IN_REGISTERS = 8192
# Those of a slice fit one warp. A program of one warp needs no barrier, and
# its lanes agree on what they have read.
_SLICE = 1024
# Programs that wait for each other must all be running. An SM holds 8 warps
# whatever registers they use (255 a thread at most); half of them leave room
# for other work on the GPU, or for sampling on a second stream.
_PROGRAMS_PER_SM = 4
_LARGEST_INDEX = tl.constexpr(0x7fffffff)


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """See :func:`m2ae_mm.ops.furthest_point_sample`."""
    batch, num_points, _ = points.shape
    by_axis = points.transpose(1, 2).contiguous()  # neighbouring threads read neighbouring words
    with torch.cuda.device_of(points):
        if num_points > _LARGEST_IN_REGISTERS:
            return _sample_by_slices(by_axis, num_samples)
        picked = points.new_empty((batch, num_samples), dtype=torch.long)
        block = max(triton.next_power_of_2(num_points), 32)
        # Fused multiply-add would decide ties differently from the reference.
        _sample_in_registers[(batch, )](
            by_axis, picked, num_points, num_samples, block, num_warps=_warps(block), enable_fp_fusion=False)
    return picked


def _warps(block: int) -> int:
    """Eight points a thread, within 1 to 32 warps."""
    return min(max(block // 256, 1), 32)


def _sample_by_slices(by_axis: Tensor, num_samples: int) -> Tensor:
    """Several programs per cloud: all rounds in one launch, as many clouds at once as can run together.

    Where not even the programs of one cloud can, where Triton (before 3.3)
    cannot promise to start all programs together, and in the interpreter,
    which runs one program after another, every round is a launch of its own
    and nothing is left to wait for.
    """
    batch, _, num_points = by_axis.shape
    slices = triton.cdiv(num_points, _SLICE)
    nearest = by_axis.new_full((batch, num_points), torch.inf)
    # What each slice offers as sample i, see _sample_slice; -1: not yet.
    offers = by_axis.new_full((batch, num_samples, slices), -1, dtype=torch.long)
    offers[:, :1] = _LARGEST_INDEX.value  # point 0
    running = _running_programs(by_axis.device)
    rounds = num_samples - 1
    step, options = 1, {}
    if _compiled() and slices <= running and _starts_together():
        step, options = max(rounds, 1), {'launch_cooperative_grid': True}
    clouds = max(running // slices, 1)
    for some in zip(by_axis.split(clouds), nearest.split(clouds), offers.split(clouds)):
        for start in range(0, rounds, step):
            _sample_slice[(slices, len(some[0]))](
                *some, num_points, num_samples, start, start + step, slices, triton.next_power_of_2(max(slices, 32)),
                _SLICE, num_warps=1, enable_fp_fusion=False, **options)
    return (offers.amax(2) & _LARGEST_INDEX.value) ^ _LARGEST_INDEX.value


def _compiled() -> bool:
    return isinstance(_sample_slice, triton.JITFunction)


@functools.cache
def _starts_together() -> bool:
    """Whether this Triton has cooperative launches."""
    try:
        from triton.backends.nvidia.compiler import CUDAOptions
    except ImportError:
        return False
    return torch.version.cuda is not None and 'launch_cooperative_grid' in CUDAOptions.__dataclass_fields__


def _running_programs(device: torch.device) -> int:
    processors = torch.cuda.get_device_properties(device).multi_processor_count if _compiled() else 1
    return _PROGRAMS_PER_SM * processors


@triton.jit
def _sample_in_registers(points, picked, num_points, num_samples, BLOCK: tl.constexpr):
    cloud = tl.program_id(0).to(tl.int64)
    points += cloud * 3 * num_points
    picked += cloud * num_samples
    offsets = tl.arange(0, BLOCK)
    inside = offsets < num_points
    x = tl.load(points + offsets, inside, 0.)
    y = tl.load(points + num_points + offsets, inside, 0.)
    z = tl.load(points + 2 * num_points + offsets, inside, 0.)
    nearest = tl.where(inside, float('inf'), -1.)  # padding is never the furthest
    last = tl.zeros((), tl.int32)
    for i in range(num_samples):
        tl.store(picked + i, last.to(tl.int64))
        dx = x - tl.load(points + last)
        dy = y - tl.load(points + num_points + last)
        dz = z - tl.load(points + 2 * num_points + last)
        nearest = tl.minimum(nearest, dx * dx + dy * dy + dz * dz)
        last = tl.argmax(nearest, 0, tie_break_left=True)


@triton.jit(do_not_specialize=['first_round', 'last_round'])
def _sample_slice(points, nearest, offers, num_points, num_samples, first_round, last_round, slices,
                  SLOTS: tl.constexpr, SLICE: tl.constexpr):
    """Furthest points of one slice of a cloud, in step with the programs of its other slices.

    An offer is one word, written at once: the bits of the distance, which sort
    like the distance, above the bits of ``largest index - index``. The largest
    offer is the furthest point, of equals the first. Every round has slots of
    its own, so none is ever written twice.
    """
    cloud = tl.program_id(1).to(tl.int64)
    points += cloud * 3 * num_points
    nearest += cloud * num_points
    offers += (cloud * num_samples + first_round) * slices
    offsets = tl.program_id(0) * SLICE + tl.arange(0, SLICE)
    inside = offsets < num_points
    x = tl.load(points + offsets, inside, 0.)
    y = tl.load(points + num_points + offsets, inside, 0.)
    z = tl.load(points + 2 * num_points + offsets, inside, 0.)
    left = tl.load(nearest + offsets, inside, -1.)  # negative bits: padding is never the furthest
    slots = tl.arange(0, SLOTS)
    for _ in range(first_round, last_round):
        # Volatile loads read what other SMs have written; a cache of this SM may never see it.
        offer = tl.load(offers + slots, slots < slices, 0, volatile=True)
        while tl.min((offer >> 32).to(tl.int32), 0) < 0:
            offer = tl.load(offers + slots, slots < slices, 0, volatile=True)
        # Halves: a warp reduces 32 bits in one instruction.
        high = (offer >> 32).to(tl.int32)
        low = tl.where(high == tl.max(high, 0), offer.to(tl.int32), 0)
        last = tl.max(low, 0) ^ _LARGEST_INDEX
        dx = x - tl.load(points + last)
        dy = y - tl.load(points + num_points + last)
        dz = z - tl.load(points + 2 * num_points + last)
        left = tl.minimum(left, dx * dx + dy * dy + dz * dz)
        bits = left.to(tl.int32, bitcast=True)
        furthest = tl.max(bits, 0)
        index = tl.min(tl.where(bits == furthest, offsets, _LARGEST_INDEX), 0)
        mine = (furthest.to(tl.int64) << 32) | (index ^ _LARGEST_INDEX).to(tl.int64)
        offers += slices  # the next round's
        tl.atomic_xchg(offers + tl.program_id(0), mine, sem='relaxed')
    tl.store(nearest + offsets, left, inside)
