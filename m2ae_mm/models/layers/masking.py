"""Multi-scale masking (paper section 3.2). ``True`` means masked."""
from collections.abc import Sequence

import torch
from torch import Tensor

from .scales import Scale

# Source of randomness: one for a batch, one for each of its clouds, or PyTorch's default.
Generators = torch.Generator | Sequence[torch.Generator] | None


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
