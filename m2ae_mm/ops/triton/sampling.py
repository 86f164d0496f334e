"""Furthest point sampling, one program per cloud."""
import torch
import triton
import triton.language as tl
from torch import Tensor

# Coordinates and distances of this many points fit the registers of 32 warps.
_LARGEST_IN_REGISTERS = 8192
_CHUNK = 4096


def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """See :func:`m2ae_mm.ops.furthest_point_sample`."""
    batch, num_points, _ = points.shape
    picked = points.new_empty((batch, num_samples), dtype=torch.long)
    by_axis = points.transpose(1, 2).contiguous()  # neighbouring threads read neighbouring words
    # Fused multiply-add would decide ties differently from the reference.
    with torch.cuda.device_of(points):
        if num_points <= _LARGEST_IN_REGISTERS:
            block = max(triton.next_power_of_2(num_points), 32)
            _sample_in_registers[(batch, )](
                by_axis, picked, num_points, num_samples, block, num_warps=_warps(block), enable_fp_fusion=False)
        else:
            nearest = points.new_full((batch, num_points), torch.inf)
            _sample_in_chunks[(batch, )](
                by_axis, nearest, picked, num_points, num_samples, _CHUNK, num_warps=16, enable_fp_fusion=False)
    return picked


def _warps(block: int) -> int:
    """Eight points a thread, within 1 to 32 warps."""
    return min(max(block // 256, 1), 32)


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


@triton.jit
def _sample_in_chunks(points, nearest, picked, num_points, num_samples, CHUNK: tl.constexpr):
    """Distances stay in global memory; each lane keeps its furthest point over the chunks."""
    cloud = tl.program_id(0).to(tl.int64)
    points += cloud * 3 * num_points
    nearest += cloud * num_points
    picked += cloud * num_samples
    lanes = tl.arange(0, CHUNK)
    last = tl.zeros((), tl.int32)
    for i in range(num_samples):
        tl.store(picked + i, last.to(tl.int64))
        last_x = tl.load(points + last)
        last_y = tl.load(points + num_points + last)
        last_z = tl.load(points + 2 * num_points + last)
        furthest = tl.full((CHUNK, ), -1., tl.float32)
        furthest_index = tl.zeros((CHUNK, ), tl.int32)
        for start in range(0, num_points, CHUNK):
            offsets = start + lanes
            inside = offsets < num_points
            dx = tl.load(points + offsets, inside, 0.) - last_x
            dy = tl.load(points + num_points + offsets, inside, 0.) - last_y
            dz = tl.load(points + 2 * num_points + offsets, inside, 0.) - last_z
            squared = tl.minimum(tl.load(nearest + offsets, inside, -1.), dx * dx + dy * dy + dz * dz)
            tl.store(nearest + offsets, squared, inside)
            further = squared > furthest
            furthest = tl.where(further, squared, furthest)
            furthest_index = tl.where(further, offsets, furthest_index)
        largest = tl.max(furthest, 0)
        last = tl.min(tl.where(furthest == largest, furthest_index, num_points), 0)
