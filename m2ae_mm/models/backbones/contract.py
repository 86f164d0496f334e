"""What mmdet3d's indoor detectors expect of a backbone."""
from collections.abc import Sequence

import torch
from torch import Tensor

from ..layers.scales_and_masks import Scale


def detector_outputs(points: Tensor, scales: Sequence[Scale], features: Sequence[Tensor]) -> dict:
    """Arrange encoder outputs as ``PointNet2SASSG`` of mmdet3d does.

    Args:
        points: ``(B, N, 3 + C)`` input points.
        scales: S scales, fine to coarse.
        features: ``(B, N_i, C_i)`` per scale.

    Returns:
        Lists of tensors. ``sa_xyz`` (B, N_i, 3), ``sa_features`` (B, C_i, N_i)
        and ``sa_indices`` (B, N_i, positions among the input points) run from
        the input to the coarsest scale, S + 1 entries (the input's features
        are None without extra channels); ``fp_xyz``, ``fp_features`` and
        ``fp_indices`` start at the coarsest scale, and a propagation neck
        appends finer ones.
    """
    xyz, extra = points[..., :3].contiguous(), points[..., 3:]
    everything = torch.arange(points.shape[1], device=points.device).expand(points.shape[0], -1)
    sa_xyz = [xyz, *(scale.centers for scale in scales)]
    sa_features = [extra.transpose(1, 2).contiguous() if extra.shape[-1] else None]
    sa_features += [feature.transpose(1, 2).contiguous() for feature in features]
    sa_indices = [everything, *(scale.indices for scale in scales)]
    return dict(
        fp_xyz=sa_xyz[-1:],
        fp_features=sa_features[-1:],
        fp_indices=sa_indices[-1:],
        sa_xyz=sa_xyz,
        sa_features=sa_features,
        sa_indices=sa_indices)
