"""Brings coarse encoder tokens back to a finer scale for detectors."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate
from mmdet3d.registry import MODELS

from ..layers.initialization import PretrainableModule, init_truncated_normal
from ..layers.propagation import TokenPropagation


@MODELS.register_module()
class PointM2AEPropagation(PretrainableModule):
    """Propagate from the coarsest scale over ``len(out_channels)`` finer ones.

    Follows a :class:`PointM2AEEncoder` in any detector of mmdet3d that takes
    ``fp_xyz``, ``fp_features`` and ``fp_indices``: appends one entry per step
    to each, so that ``fp_*[-1]`` is the finest scale reached.

    Args:
        encoder_dims: Token widths of the encoder, fine to coarse.
        out_channels: Widths after each step, coarse to fine.
        learned: Whether steps have weights. Without, a step puts the tokens of the finer scale and the coarser ones,
            interpolated, beside each other, each normalised; widths then are sums of ``encoder_dims``.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 encoder_dims: Sequence[int],
                 out_channels: Sequence[int],
                 learned: bool = True,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if not 0 < len(out_channels) < len(encoder_dims):
            raise ValueError(f'{len(encoder_dims)} scales allow 1 to {len(encoder_dims) - 1} steps, got out_channels='
                             f'{out_channels}.')
        self.learned, self.num_steps = learned, len(out_channels)
        coarse = [encoder_dims[-1], *out_channels[:-1]]
        self.steps = nn.ModuleList(
            TokenPropagation(*widths) for widths in zip(coarse, encoder_dims[-2::-1], out_channels) if learned)

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
            fine, coarse = outputs['sa_xyz'][at], fp['fp_xyz'][-1]
            skip, tokens = (each.transpose(1, 2) for each in (outputs['sa_features'][at], fp['fp_features'][-1]))
            if self.learned:
                tokens = self.steps[step](fine, coarse, skip, tokens)
            else:
                tokens = torch.cat([_normalised(skip), interpolate(fine, coarse, tokens)], -1)
            fp['fp_xyz'].append(fine)
            fp['fp_features'].append(tokens.transpose(1, 2).contiguous())
            fp['fp_indices'].append(outputs['sa_indices'][at])
        return {**outputs, **fp}


def _normalised(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:])
