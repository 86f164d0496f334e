"""Points within a ball, a few centres per program that stop when all are full."""
import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

_CENTERS = 4
_LARGEST_BLOCK = 512


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """See :func:`m2ae_mm.ops.ball_query`."""
    batch, num_centers, _ = centers.shape
    num_points = points.shape[1]
    indices = centers.new_empty((batch, num_centers, num_samples), dtype=torch.long)
    by_axis = points.transpose(1, 2).contiguous()  # neighbouring threads read neighbouring words
    block = min(max(triton.next_power_of_2(num_points), 32), _LARGEST_BLOCK)
    outer, inner = float(np.float32(radius**2)), float(np.float32(min_radius**2))
    # Fused multiply-add would round distances differently from the reference.
    with torch.cuda.device_of(points):
        _within[(triton.cdiv(num_centers, _CENTERS), batch)](
            centers.contiguous(), by_axis, indices, num_centers, num_points, outer, inner, num_samples, _CENTERS,
            triton.next_power_of_2(num_samples), block, num_warps=4, enable_fp_fusion=False)
    return indices


@triton.jit
def _within(centers, points, indices, num_centers, num_points, outer, inner, num_samples, CENTERS: tl.constexpr,
            SLOTS: tl.constexpr, BLOCK: tl.constexpr):
    cloud = tl.program_id(1).to(tl.int64)
    points += cloud * 3 * num_points
    rows = tl.program_id(0) * CENTERS + tl.arange(0, CENTERS)
    valid = rows < num_centers
    centers += (cloud * num_centers + rows) * 3
    outputs = (indices + (cloud * num_centers + rows) * num_samples)[:, None]
    x = tl.load(centers, valid, 0.)[:, None]
    y = tl.load(centers + 1, valid, 0.)[:, None]
    z = tl.load(centers + 2, valid, 0.)[:, None]
    count = tl.where(valid, 0, num_samples)  # rows beyond the last are full from the start
    first = tl.zeros((CENTERS, ), tl.int32)
    start = 0
    while (start < num_points) & (tl.min(count, 0) < num_samples):
        offsets = start + tl.arange(0, BLOCK)
        exists = offsets < num_points
        dx = x - tl.load(points + offsets, exists, 0.)[None, :]
        dy = y - tl.load(points + num_points + offsets, exists, 0.)[None, :]
        dz = z - tl.load(points + 2 * num_points + offsets, exists, 0.)[None, :]
        squared = dx * dx + dy * dy + dz * dz
        inside = (squared < outer) & ((squared >= inner) | (squared == 0)) & exists[None, :] & valid[:, None]
        hits = inside.to(tl.int32)
        slots = count[:, None] + tl.cumsum(hits, 1) - hits
        found = tl.broadcast_to(offsets[None, :], (CENTERS, BLOCK))
        tl.store(outputs + slots, found.to(tl.int64), inside & (slots < num_samples))
        lowest = tl.min(tl.where(inside, found, num_points), 1)
        first = tl.where((count == 0) & (lowest < num_points), lowest, first)
        count += tl.sum(hits, 1)
        start += BLOCK
    slots = tl.arange(0, SLOTS)[None, :]
    empty = (slots >= count[:, None]) & (slots < num_samples) & valid[:, None]
    tl.store(outputs + slots, tl.broadcast_to(first[:, None], (CENTERS, SLOTS)).to(tl.int64), empty)
