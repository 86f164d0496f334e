"""Multi-scale masking (paper section 3.2). ``True`` means masked."""
from collections.abc import Sequence

import torch
from torch import Tensor

from .scales import Scale


def random_mask(centers: Tensor, ratio: float, generator: torch.Generator | None = None) -> Tensor:
    """Mask ``int(ratio * M)`` of the M centres of every cloud at random.

    Args:
        centers: ``(B, M, 3)``.
        ratio: Share to mask, in [0, 1).
        generator: Source of randomness, on its own device; PyTorch's default if None.

    Returns:
        ``(B, M)`` bool, ``True`` = masked.
    """
    device = centers.device if generator is None else generator.device
    order = torch.rand(centers.shape[:2], device=device, generator=generator).argsort(1)
    return (order < int(ratio * centers.shape[1])).to(centers.device)


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


def independent_masks(scales: Sequence[Scale], ratio: float, generator: torch.Generator | None = None) -> list[Tensor]:
    """One independent random mask per scale (the ablation of table 8).

    Returns:
        S masks ``(B, N_i)``, ``True`` = masked.
    """
    return [random_mask(scale.centers, ratio, generator) for scale in scales]
