"""Points within a ball, a few centres per program of one warp that stops when all are full."""
import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

# One warp sums up without a barrier, and centres share every load of a point.
_CENTERS = 4
_THREADS = 32
_RUN = 32  # points in index order that a thread marks in the bits of one word
_UNROLLED = 4


def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """See :func:`m2ae_mm.ops.ball_query`."""
    batch, num_centers, _ = centers.shape
    indices = centers.new_empty((batch, num_centers, num_samples), dtype=torch.long)
    # Every thread has a run of points; neighbouring threads read neighbouring
    # words. Padding is infinitely far.
    blocks = triton.cdiv(points.shape[1], _THREADS * _RUN)
    padded = pad(points, (0, 0, 0, blocks * _THREADS * _RUN - points.shape[1]), value=torch.inf)
    by_run = padded.view(batch, blocks, _THREADS, _RUN, 3).permute(0, 4, 1, 3, 2).contiguous()
    outer, inner = float(np.float32(radius**2)), float(np.float32(min_radius**2))
    # Fused multiply-add would round distances differently from the reference.
    with torch.cuda.device_of(points):
        _within[(triton.cdiv(num_centers, _CENTERS), batch)](
            centers.contiguous(), by_run, indices, num_centers, blocks, outer, inner, num_samples, inner > 0, _CENTERS,
            _THREADS, _RUN, _UNROLLED, triton.next_power_of_2(num_samples), num_warps=1, enable_fp_fusion=False)
    return indices


@triton.jit
def _within(centers, by_run, indices, num_centers, blocks, outer, inner, num_samples, HOLLOW: tl.constexpr,
            CENTERS: tl.constexpr, THREADS: tl.constexpr, RUN: tl.constexpr, UNROLLED: tl.constexpr,
            SLOTS: tl.constexpr):
    """Hits are rare: a thread only marks them while it goes through its run, and places them afterwards."""
    cloud = tl.program_id(1).to(tl.int64)
    padded = blocks * THREADS * RUN
    by_run += cloud * 3 * padded
    rows = tl.program_id(0) * CENTERS + tl.arange(0, CENTERS)
    valid = rows < num_centers
    centers += (cloud * num_centers + rows) * 3
    indices += cloud * num_centers * num_samples
    outputs = (rows * num_samples)[:, None]
    x = tl.load(centers, valid, 0.)[:, None]
    y = tl.load(centers + 1, valid, 0.)[:, None]
    z = tl.load(centers + 2, valid, 0.)[:, None]
    threads = tl.arange(0, THREADS)[None, :]
    count = tl.where(valid, 0, num_samples)  # rows beyond the last are full from the start
    first = tl.zeros((CENTERS, THREADS), tl.int32)
    block = 0
    while (block < blocks) & (tl.min(count, 0) < num_samples):
        spots = by_run + block * THREADS * RUN + threads
        marks = tl.zeros((CENTERS, THREADS), tl.uint32)
        for start in range(0, RUN, UNROLLED):
            for place in tl.static_range(UNROLLED):
                dx = x - tl.load(spots + place * THREADS)
                dy = y - tl.load(spots + place * THREADS + padded)
                dz = z - tl.load(spots + place * THREADS + 2 * padded)
                squared = dx * dx + dy * dy + dz * dz
                inside = squared < outer
                if HOLLOW:
                    inside = inside & ((squared >= inner) | (squared == 0))
                marks |= inside.to(tl.uint32) << (start + place)
            spots += UNROLLED * THREADS
        hits = _bits_set(marks)
        slots = count[:, None] + tl.cumsum(hits, 1) - hits
        pending = (marks != 0) & (slots < num_samples)
        while tl.max(tl.max(pending.to(tl.int32), 1), 0) > 0:
            lowest = marks & (~marks + 1)
            exponent = (lowest.to(tl.float32).to(tl.int32, bitcast=True) >> 23) - 127
            found = (block * THREADS + threads) * RUN + exponent
            tl.store(indices + outputs + slots, found.to(tl.int64), pending)
            first = tl.where(pending & (slots == 0), found, first)
            marks ^= lowest
            slots += 1
            pending = (marks != 0) & (slots < num_samples)
        count += tl.sum(hits, 1)
        block += 1
    first = tl.max(first, 1)[:, None]
    slots = tl.arange(0, SLOTS)[None, :]
    empty = (slots >= count[:, None]) & (slots < num_samples) & valid[:, None]
    tl.store(indices + outputs + slots, tl.broadcast_to(first, (CENTERS, SLOTS)).to(tl.int64), empty)


@triton.jit
def _bits_set(words):
    """Set bits of uint32 words, as int32: sums of pairs, of fours, of eights, and all of them in the top byte."""
    words -= (words >> 1) & 0x55555555
    words = (words & 0x33333333) + ((words >> 2) & 0x33333333)
    words = (words + (words >> 4)) & 0x0f0f0f0f
    return ((words * 0x01010101) >> 24).to(tl.int32)
