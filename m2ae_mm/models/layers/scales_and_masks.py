"""The multi-scale representation of a cloud and its masks, ``True`` = masked (paper sections 3.1 and 3.2)."""
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from m2ae_mm.ops import furthest_point_sample, gather, knn

# Source of randomness: one for a batch, one for each of its clouds, or PyTorch's default.
Generators = torch.Generator | Sequence[torch.Generator] | None


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

    Warns if a scale has more centres, or larger groups, than the scale below
    has points: some are repeated then.

    Args:
        points: ``(B, N, 3)`` input coordinates (scale 0).
        num_centers: N_i per scale, found by furthest point sampling of the scale below.
        num_neighbors: k_i per scale, nearest members of the scale below.

    Returns:
        S scales.
    """
    scales: list[Scale] = []
    below, below_indices = points, None
    for number, (count, k) in enumerate(zip(num_centers, num_neighbors), 1):
        _warn_of_repetition(number, count, k, below.shape[1])
        picked = furthest_point_sample(below, count)
        centers = gather(below, picked)
        indices = picked if below_indices is None else below_indices.gather(1, picked)
        scales.append(Scale(centers, indices, knn(centers, below, k)))
        below, below_indices = centers, indices
    return scales


def _warn_of_repetition(number: int, count: int, k: int, available: int) -> None:
    if torch.compiler.is_compiling() or max(count, k) <= available:
        return
    source = f'clouds of {available} points' if number == 1 else f'the {available} centres of the scale below'
    # Python shows a warning with the same numbers once.
    warnings.warn(f'scale {number} takes {count} centres with {k} neighbours each from {source}, so some are repeated. '
                  'Lower num_centers or num_neighbors of the encoder, or let the pipeline keep more points.',
                  stacklevel=3)


def relative_neighborhoods(below: Tensor, scale: Scale) -> Tensor:
    """Group coordinates relative to their centre, ``(B, N_i, k_i, 3)``.

    Args:
        below: ``(B, N_{i-1}, 3)`` points of the scale below.
        scale: Scale i.
    """
    return gather(below, scale.neighbors) - scale.centers.unsqueeze(2)


def random_mask(centers: Tensor, ratio: float, generator: Generators = None) -> Tensor:
    """Mask ``int(ratio * M)`` of the M centres of every cloud at random.

    Args:
        centers: ``(B, M, 3)``.
        ratio: Share to mask, in [0, 1).
        generator: For the batch, or one for each cloud, on a device of their own.

    Returns:
        ``(B, M)`` bool, ``True`` = masked.
    """
    batch, count, _ = centers.shape
    if generator is None:
        random = torch.rand(batch, count, device=centers.device)
    elif isinstance(generator, torch.Generator):
        random = torch.rand(batch, count, device=generator.device, generator=generator)
    else:
        random = torch.stack([torch.rand(count, device=each.device, generator=each) for each in generator])
    return (random.argsort(1) < int(ratio * count)).to(centers.device)


def back_project_mask(top: Tensor, scales: Sequence[Scale]) -> list[Tensor]:
    """Carry the coarsest scale's mask down to every finer scale.

    A centre of scale i is visible if it belongs to the group of a visible
    centre of scale i + 1, so what is visible agrees across scales. Groups of
    masked centres unmask nothing.

    Args:
        top: ``(B, N_S)`` bool, ``True`` = masked.
        scales: All S scales, fine to coarse.

    Returns:
        S masks ``(B, N_i)``, fine to coarse; the last one is ``top``.
    """
    masks = [top]
    for fine, coarse in zip(scales[-2::-1], scales[:0:-1]):
        batch, count, _ = fine.centers.shape
        # Members of masked groups are sent to a spare last slot.
        members = coarse.neighbors.masked_fill(masks[0].unsqueeze(-1), count)
        masked = top.new_ones(batch, count + 1)
        masked.scatter_(1, members.flatten(1), False)
        masks.insert(0, masked[:, :count])
    return masks


def independent_masks(scales: Sequence[Scale], ratio: float, generator: Generators = None) -> list[Tensor]:
    """One independent random mask per scale (the ablation of table 8).

    Returns:
        S masks ``(B, N_i)``, ``True`` = masked.
    """
    return [random_mask(scale.centers, ratio, generator) for scale in scales]
