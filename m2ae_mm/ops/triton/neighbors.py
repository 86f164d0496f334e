"""k nearest points, one program per query with its best k on chip."""
import torch
import triton
import triton.language as tl
from torch import Tensor

_LARGEST_BLOCK = 1024


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.knn`."""
    batch, num_queries, _ = queries.shape
    num_points = points.shape[1]
    indices = queries.new_empty((batch, num_queries, k), dtype=torch.long)
    by_axis = points.transpose(1, 2).contiguous()  # neighbouring threads read neighbouring words
    block = min(max(triton.next_power_of_2(num_points), 32), _LARGEST_BLOCK)
    # Fused multiply-add would decide ties differently from the reference.
    with torch.cuda.device_of(points):
        _nearest[(batch * num_queries, )](
            queries.contiguous(), by_axis, indices, num_queries, num_points, k, triton.next_power_of_2(k), block,
            num_warps=max(block // 256, 1), enable_fp_fusion=False)
    return indices


@triton.jit
def _nearest(queries, points, indices, num_queries, num_points, k, SLOTS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    points += (row // num_queries) * 3 * num_points
    x = tl.load(queries + row * 3)
    y = tl.load(queries + row * 3 + 1)
    z = tl.load(queries + row * 3 + 2)
    # The best k so far, unsorted. Slots beyond k are never the worst, empty
    # ones have different indices, larger than any point's.
    slots = tl.arange(0, SLOTS)
    kept = tl.where(slots < k, float('inf'), -1.)
    kept_index = 2147483647 - slots
    worst = float('inf')
    for start in range(0, num_points, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        inside = offsets < num_points
        dx = x - tl.load(points + offsets, inside, 0.)
        dy = y - tl.load(points + num_points + offsets, inside, 0.)
        dz = z - tl.load(points + 2 * num_points + offsets, inside, 0.)
        squared = tl.where(inside, dx * dx + dy * dy + dz * dz, float('inf'))
        best = tl.min(squared, 0)
        # Later points have higher indices: equally far, they do not replace.
        while best < worst:
            index = tl.min(tl.where(squared == best, offsets, 2147483647), 0)
            worst_index = tl.max(tl.where(kept == worst, kept_index, -1), 0)
            replaced = (kept == worst) & (kept_index == worst_index)
            kept = tl.where(replaced, best, kept)
            kept_index = tl.where(replaced, index, kept_index)
            worst = tl.max(kept, 0)
            squared = tl.where(offsets == index, float('inf'), squared)
            best = tl.min(squared, 0)
    kept = tl.where(slots < k, kept, float('inf'))
    nearest = tl.zeros((), tl.int32)
    for i in range(k):
        best = tl.min(kept, 0)
        index = tl.min(tl.where(kept == best, kept_index, 2147483647), 0)
        taken = (kept == best) & (kept_index == index)
        kept = tl.where(taken, float('inf'), kept)
        kept_index = tl.where(taken, 2147483647, kept_index)
        nearest = tl.where((i == 0) & (index < num_points), index, nearest)
        tl.store(indices + row * k + i, tl.where(index < num_points, index, nearest).to(tl.int64))
