"""k nearest points by a tournament of groups, a few queries per program of one warp."""
import math

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

# One warp reduces without a barrier; several queries share every load of a
# point, and while one waits for its reduction the others have work.
_QUERIES = 8
_LARGEST_TILE = 2048  # 64 registers a thread
_FEWEST_GROUPS = 32  # a group per thread
_LARGEST = tl.constexpr(0x7fffffff)


def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.knn`."""
    batch, num_queries, _ = queries.shape
    num_points = points.shape[1]
    indices = queries.new_empty((batch, num_queries, k), dtype=torch.long)
    # About as many groups as members: every neighbour found costs a look at both.
    groups = max(triton.next_power_of_2(math.isqrt(num_points)), _FEWEST_GROUPS)
    members = triton.cdiv(num_points, groups)
    padded = pad(points, (0, 0, 0, groups * members - num_points), value=torch.inf)
    # Neighbouring threads read neighbouring words, of all groups or of one.
    by_group = padded.view(batch, groups, members, 3).permute(0, 3, 2, 1).contiguous()
    by_axis = padded.transpose(1, 2).contiguous()
    tile = max(min(_LARGEST_TILE // groups, _QUERIES), 1)
    # Fused multiply-add would decide ties differently from the reference.
    with torch.cuda.device_of(points):
        _nearest[(batch * triton.cdiv(num_queries, tile), )](
            queries.contiguous(), by_group, by_axis, indices, num_queries, num_points, k, members, tile, groups,
            triton.next_power_of_2(members), num_warps=1, enable_fp_fusion=False)
    return indices


@triton.jit
def _nearest(queries, by_group, by_axis, indices, num_queries, num_points, k, members, QUERIES: tl.constexpr,
             GROUPS: tl.constexpr, MEMBERS: tl.constexpr):
    """Groups are runs of points. Each keeps its nearest point's distance; the least of all is the next neighbour.

    Its group, the first among equals, then looks for its next nearest. So k
    neighbours cost k groups, not k passes over the points. Distances are
    compared as bits, which sort like them: a warp reduces integers faster.
    """
    blocks = tl.cdiv(num_queries, QUERIES)
    cloud = (tl.program_id(0) // blocks).to(tl.int64)
    padded = GROUPS * members
    by_group += cloud * 3 * padded
    by_axis += cloud * 3 * padded
    rows = (tl.program_id(0) % blocks) * QUERIES + tl.arange(0, QUERIES)
    valid = rows < num_queries
    queries += (cloud * num_queries + rows) * 3
    indices += (cloud * num_queries + rows) * k
    x = tl.load(queries, valid, 0.)[:, None]
    y = tl.load(queries + 1, valid, 0.)[:, None]
    z = tl.load(queries + 2, valid, 0.)[:, None]
    groups = tl.arange(0, GROUPS)[None, :]
    nearest = tl.full((QUERIES, GROUPS), float('inf'), tl.float32)
    for member in range(members):
        spots = by_group + member * GROUPS + groups
        dx = x - tl.load(spots)
        dy = y - tl.load(spots + padded)
        dz = z - tl.load(spots + 2 * padded)
        nearest = tl.minimum(nearest, dx * dx + dy * dy + dz * dz)
    nearest = nearest.to(tl.int32, bitcast=True)
    places = tl.arange(0, MEMBERS)[None, :]
    exists = places < members
    last = tl.full((QUERIES, ), -1, tl.int32)
    last_index = tl.full((QUERIES, ), -1, tl.int32)
    first_index = tl.zeros((QUERIES, ), tl.int32)
    for i in range(k):
        least = tl.min(nearest, 1)
        group = tl.min(tl.where(nearest == least[:, None], groups, GROUPS - 1), 1)[:, None]
        spots = by_axis + group * members + places
        dx = x - tl.load(spots, exists, 0.)
        dy = y - tl.load(spots + padded, exists, 0.)
        dz = z - tl.load(spots + 2 * padded, exists, 0.)
        squared = (dx * dx + dy * dy + dz * dz).to(tl.int32, bitcast=True) & _LARGEST  # a NaN's sign is arbitrary
        squared = tl.where(exists, squared, _LARGEST)
        offsets = tl.where(exists, group * members + places, _LARGEST)
        # Neighbours come by distance, then index: all found so far are not after the last.
        left = (squared > last[:, None]) | (offsets > last_index[:, None])
        index = tl.min(tl.where((squared == least[:, None]) & left, offsets, _LARGEST), 1)
        left = (squared > least[:, None]) | ((squared == least[:, None]) & (offsets > index[:, None]))
        following = tl.min(tl.where(left, squared, _LARGEST), 1)
        nearest = tl.where(groups == group, following[:, None], nearest)
        last = least
        last_index = index
        # Padding is infinitely far and has the highest indices.
        found = index < num_points
        first_index = tl.where(found & (i == 0), index, first_index)
        tl.store(indices + i, tl.where(found, index, first_index).to(tl.int64), valid)
