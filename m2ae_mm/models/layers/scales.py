"""The multi-scale representation of a cloud (paper section 3.1)."""
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from m2ae_mm.ops import furthest_point_sample, gather, knn


class Scale(NamedTuple):
    """One scale: centres and the groups of finer points around them.

    Attributes:
        centers: ``(B, N_i, 3)`` coordinates, a subset of the scale below.
        indices: ``(B, N_i)`` int64 positions of the centres among the *input* points.
        neighbors: ``(B, N_i, k_i)`` int64 positions of each group's members
            among the points of the scale below (the input for scale 1).
    """
    centers: Tensor
    indices: Tensor
    neighbors: Tensor


def build_scales(points: Tensor, num_centers: Sequence[int], num_neighbors: Sequence[int]) -> list[Scale]:
    """Represent clouds at S scales, fine to coarse.

    Args:
        points: ``(B, N, 3)`` input coordinates (scale 0).
        num_centers: N_i per scale, found by furthest point sampling of the scale below.
        num_neighbors: k_i per scale, nearest members of the scale below.

    Returns:
        S scales.
    """
    scales: list[Scale] = []
    below, below_indices = points, None
    for count, k in zip(num_centers, num_neighbors):
        picked = furthest_point_sample(below, count)
        centers = gather(below, picked)
        indices = picked if below_indices is None else below_indices.gather(1, picked)
        scales.append(Scale(centers, indices, knn(centers, below, k)))
        below, below_indices = centers, indices
    return scales


def relative_neighborhoods(below: Tensor, scale: Scale) -> Tensor:
    """Group coordinates relative to their centre, ``(B, N_i, k_i, 3)``.

    Args:
        below: ``(B, N_{i-1}, 3)`` points of the scale below.
        scale: Scale i.
    """
    return gather(below, scale.neighbors) - scale.centers.unsqueeze(2)
