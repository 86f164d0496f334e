"""The hierarchical decoder of Point-M2AE and the propagation of tokens to finer scales (paper section 3.4)."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate
from mmdet3d.registry import MODELS

from ..layers.exactness import are_exactly
from ..layers.initialization import PretrainableModule, init_xavier
from ..layers.packing import Rows
from ..layers.scales_and_masks import Scale
from ..layers.token_layers import PointwiseNorm, weights_cast_once
from ..layers.transformer import Stage, split_drop_path


@MODELS.register_module()
class PointM2AEDecoder(PretrainableModule):
    """Pyramid of transformer stages from the coarsest scale S to a finer one.

    Starts with the visible tokens of scale S and one shared mask token at
    every masked centre; with D stages it ends at scale S - D + 1. Visible and
    masked tokens attend to each other without radius.

    Args:
        encoder_dims: Token widths of the encoder, fine to coarse.
        embed_dims: Widths of the D stages, coarse to fine; the first equals
            ``encoder_dims[-1]``.
        depths: Blocks of each stage.
        num_heads: Attention heads.
        skip_connections: Join the encoder's features of the finer scale
            (zeros at masked centres); off in an ablation of table 7.
        drop_path_rate: Stochastic depth of the last block; rises from 0.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 encoder_dims: Sequence[int] = (96, 192, 384),
                 embed_dims: Sequence[int] = (384, 192),
                 depths: Sequence[int] = (1, 1),
                 num_heads: int = 6,
                 skip_connections: bool = True,
                 drop_path_rate: float = 0.1,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if len(embed_dims) != len(depths) or len(embed_dims) > len(encoder_dims):
            raise ValueError('embed_dims and depths need one entry per decoder stage and at most as many as the '
                             f'encoder has scales, got {embed_dims}, {depths} for encoder_dims={encoder_dims}.')
        if embed_dims[0] != encoder_dims[-1]:
            raise ValueError('the first decoder stage continues the coarsest tokens, so embed_dims[0] must equal '
                             f'encoder_dims[-1]; got {embed_dims[0]} and {encoder_dims[-1]}.')
        self.skip_connections = skip_connections
        self.mask_token = nn.Parameter(torch.zeros(1, embed_dims[0]))
        self.stages = nn.ModuleList(
            Stage(dims, num_heads, rates)
            for dims, rates in zip(embed_dims, split_drop_path(drop_path_rate, depths)))
        skips = encoder_dims[-2::-1] if skip_connections else [0] * len(embed_dims)
        self.propagations = nn.ModuleList(
            TokenPropagation(coarse, skip, fine)
            for coarse, skip, fine in zip(embed_dims[:-1], skips, embed_dims[1:]))
        self.norm = nn.LayerNorm(embed_dims[-1])

    def reset_weights(self) -> None:
        """Xavier for the blocks, truncated normal 0.02 for the mask token, PyTorch's defaults for the rest.

        As in the published code: embeddings of positions and propagation are left as PyTorch makes them.
        """
        for stage in self.stages:
            init_xavier(stage.blocks)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    @property
    def num_stages(self) -> int:
        """D."""
        return len(self.stages)

    def forward(self, features: Sequence[Tensor], scales: Sequence[Scale], masked: Sequence[Tensor]) -> Tensor:
        """Decode.

        Args:
            features: ``(B, N_i, C_i)`` per scale from the encoder, zeros at masked centres.
            scales: The S scales, fine to coarse.
            masked: ``(B, N_i)`` bool per scale, ``True`` = masked.

        Returns:
            ``(B, N_f, C_f)`` tokens of scale f = S - D + 1, after the last norm.
        """
        tokens = torch.where(masked[-1].unsqueeze(-1), self.mask_token.to(features[-1].dtype), features[-1])
        with weights_cast_once(self, tokens):
            for step, stage in enumerate(self.stages):
                fine = scales[-1 - step].centers
                if step:
                    skip = features[-1 - step] if self.skip_connections else None
                    tokens = self.propagations[step - 1](fine, scales[-step].centers, skip, tokens)
                rows = Rows.of_all(*fine.shape[:2], fine.device)
                norm = self.norm if stage is self.stages[-1] else None
                _, tokens = stage(tokens.flatten(0, 1), fine.flatten(0, 1), rows, norm=norm)
                tokens = rows.spread(tokens)
        return tokens


class TokenPropagation(nn.Module):
    """Interpolate coarse tokens at finer centres and fuse them with a skip connection.

    Args:
        coarse_channels: Width of the coarse tokens.
        skip_channels: Width of the skip features; 0 for none.
        out_channels: Width of the result.
    """

    def __init__(self, coarse_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.fuse = PointwiseNorm(skip_channels + coarse_channels, out_channels)
        self.blocks = nn.Sequential(ResidualPointwise(out_channels))

    def forward(self, fine: Tensor, coarse: Tensor, skip: Tensor | None, tokens: Tensor) -> Tensor:
        """Propagate.

        Args:
            fine: ``(B, N, 3)`` centres of the finer scale.
            coarse: ``(B, M, 3)`` centres of the coarser scale.
            skip: ``(B, N, skip_channels)`` features of the finer scale, or None.
            tokens: ``(B, M, coarse_channels)``.

        Returns:
            ``(B, N, out_channels)``.
        """
        linear, norm = self.fuse.linear, self.fuse.norm
        if are_exactly(PointwiseNorm, self.fuse) and are_exactly(nn.Linear, linear):
            # Interpolation is linear, too: the product is taken where there are fewer rows.
            own = linear.in_features - tokens.shape[-1]
            x = interpolate(fine, coarse, F.linear(tokens, linear.weight[:, own:], linear.bias))
            x = x if skip is None else x + F.linear(skip, linear.weight[:, :own])
            x = norm(x.flatten(0, 1)).view(x.shape)
        else:
            x = interpolate(fine, coarse, tokens)
            x = self.fuse(x if skip is None else torch.cat([skip, x], -1))
        return self.blocks(F.gelu(x))


class ResidualPointwise(nn.Module):
    """Two 1x1 convolutions with BatchNorm and GELU around a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = PointwiseNorm(channels, channels)
        self.second = PointwiseNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.second(F.gelu(self.first(x))))
