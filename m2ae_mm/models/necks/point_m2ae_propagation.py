"""Brings coarse encoder tokens back to a finer scale for detectors, or to every point for segmentation."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate
from mmdet3d.registry import MODELS

from ..layers.initialization import PretrainableModule, init_truncated_normal
from .point_m2ae_decoder import TokenPropagation


@MODELS.register_module()
class PointM2AEPropagation(PretrainableModule):
    """Propagate from the coarsest scale over ``len(out_channels)`` finer ones.

    Follows a :class:`PointM2AEEncoder` in any detector of mmdet3d that takes
    ``fp_xyz``, ``fp_features`` and ``fp_indices``: appends one entry per step
    to each, so that ``fp_*[-1]`` is the finest scale reached. With as many
    steps as scales that is the input: every point has features then, which
    ``fa_points`` (B, N, C) holds, too, for mmdet3d's ``DGCNNHead``.

    Args:
        encoder_dims: Token widths of the encoder, fine to coarse.
        out_channels: Widths after each step, coarse to fine.
        learned: Whether steps have weights. Without, a step puts the tokens of the finer scale and the coarser ones,
            interpolated, beside each other, each normalised; widths then are sums of ``encoder_dims``. The input has
            no tokens, so the step to it is left out: who reads the finest scale interpolates what it makes of that.
        point_channels: Columns of a point, x y z first, that the step to the
            input joins; 0 for none. Without such a step it means nothing.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 encoder_dims: Sequence[int],
                 out_channels: Sequence[int],
                 learned: bool = True,
                 point_channels: int = 3,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        scales = len(encoder_dims)
        if not 0 < len(out_channels) <= scales:
            raise ValueError(f'{scales} scales allow 1 to {scales} steps, the last of them to the points, got '
                             f'out_channels={out_channels}.')
        self.learned, self.point_channels = learned, point_channels
        self.num_steps = len(out_channels) if learned else min(len(out_channels), scales - 1)
        coarse, skips = [encoder_dims[-1], *out_channels[:-1]], [*encoder_dims[-2::-1], point_channels]
        self.steps = nn.ModuleList(
            TokenPropagation(*widths) for widths in zip(coarse, skips, out_channels) if learned)

    def reset_weights(self) -> None:
        """Truncated normal 0.02."""
        init_truncated_normal(self)

    def forward(self, outputs: dict) -> dict:
        """Extend the ``fp_*`` lists of the dictionary that the encoder returned."""
        fp = {name: list(outputs[name]) for name in ('fp_xyz', 'fp_features', 'fp_indices')}
        if not self.learned:
            fp['fp_features'][-1] = _normalised(fp['fp_features'][-1].transpose(1, 2)).transpose(1, 2)
        for step in range(self.num_steps):
            at = -2 - step
            to_points = len(outputs['sa_xyz']) + at == 0
            fine, coarse = outputs['sa_xyz'][at], fp['fp_xyz'][-1]
            tokens = fp['fp_features'][-1].transpose(1, 2)
            skip = self._columns(outputs) if to_points else outputs['sa_features'][at].transpose(1, 2)
            if self.learned:
                tokens = self.steps[step](fine, coarse, skip, tokens)
            else:
                tokens = torch.cat([_normalised(skip), interpolate(fine, coarse, tokens)], -1)
            fp['fp_xyz'].append(fine)
            fp['fp_features'].append(tokens.transpose(1, 2).contiguous())
            fp['fp_indices'].append(outputs['sa_indices'][at])
            if to_points:
                fp['fa_points'] = tokens
        return {**outputs, **fp}

    def _columns(self, outputs: dict) -> Tensor | None:
        """``(B, N, point_channels)`` of the input; None for none."""
        if not self.point_channels:
            return None
        xyz, extra = outputs['sa_xyz'][0], outputs['sa_features'][0]
        points = xyz if extra is None else torch.cat([xyz, extra.transpose(1, 2)], -1)
        if points.shape[-1] < self.point_channels:
            raise ValueError(f'PointM2AEPropagation(point_channels={self.point_channels}) needs as many columns of a '
                             f'point, got {points.shape[-1]}. Set point_channels to {points.shape[-1]}, or load more.')
        return points[..., :self.point_channels].to(outputs['fp_features'][0].dtype)


def _normalised(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:])
