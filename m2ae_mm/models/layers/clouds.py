"""Clouds of different sizes as one batch."""
from collections.abc import Sequence

import torch
from torch import Tensor

from m2ae_mm.ops.checks import check_finite
from m2ae_mm.samples import sample_name
from mmdet3d.structures import Det3DDataSample

Samples = Sequence[Det3DDataSample] | None


def stack_clouds(clouds: Sequence[Tensor] | Tensor, samples: Samples = None) -> Tensor:
    """Stack clouds; smaller ones repeat their points from the start.

    Furthest point sampling never takes a repeated point while others are
    left, so centres stay the same; a group may hold a point twice. Index i of
    a filled-up cloud is its point ``i % n``.

    Args:
        clouds: B tensors ``(n_b, 3 + C)``, or already ``(B, N, 3 + C)`` and
            checked, as data preprocessors hand them on.
        samples: Theirs, to say in a message which shape or scene it is.

    Returns:
        ``(B, max n_b, 3 + C)`` float32.

    Raises:
        ValueError: For an empty cloud, differing columns, or NaN and infinite values.
    """
    if isinstance(clouds, Tensor) and clouds.dim() == 3 and clouds.shape[2] >= 3 and clouds.numel():
        return clouds.float()
    columns = {cloud.shape[-1] for cloud in clouds}
    if len(columns) != 1 or min(columns) < 3:
        raise ValueError(f'clouds need the same columns, x y z first; got {sorted(columns)} columns. Check use_dim '
                         'of LoadPointsFromFile.')
    sizes = [cloud.shape[0] for cloud in clouds]
    if min(sizes) == 0:
        name = f' ({sample_name(samples[sizes.index(0)])})' if samples else ''
        raise ValueError(f'cloud {sizes.index(0)} of the batch has no points{name}; check the file and the point '
                         'filters of the pipeline.')
    longest = max(sizes)
    stacked = torch.stack([
        cloud if len(cloud) == longest else cloud[torch.arange(longest, device=cloud.device) % len(cloud)]
        for cloud in clouds
    ]).float()
    check_batch(stacked, samples)
    return stacked


def check_batch(points: Tensor, samples: Samples = None) -> None:
    """Raise ``ValueError`` if clouds ``(B, N, 3 + C)`` hold NaN or infinity, with the name of the first sample."""
    check_finite(points, 'the batch (cloud, point)', (lambda i: sample_name(samples[i])) if samples else None)
