"""The hierarchical encoder of Point-M2AE (paper section 3.3)."""
import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet3d.registry import MODELS

from ..layers.attention import pairs_within
from ..layers.initialization import init_truncated_normal
from ..layers.mini_pointnet import MiniPointNet
from ..layers.packing import Rows
from ..layers.scales_and_masks import Scale, build_scales
from ..layers.token_layers import weights_cast_once
from ..layers.transformer import Stage, split_drop_path
from .contract import detector_outputs
from .tuned import TunedEncoder


@MODELS.register_module()
class PointM2AEEncoder(TunedEncoder):
    """Multi-scale transformer encoder; one class for every task.

    Pre-training calls :meth:`build_scales` and :meth:`encode` with masks,
    classification and segmentation without, and a detector calls the module
    itself, which honours the contract of mmdet3d's indoor backbones.

    Default sizes are those of the paper (appendix A) for shapes in the unit
    sphere. Sequences have one entry per scale, fine to coarse; their length
    sets the number of scales.

    Args:
        in_channels: Columns of a point: 3 coordinates, then extra channels
            (height, colour) that enter the scale-1 embedding only.
        num_centers: Centres N_i.
        num_neighbors: Group sizes k_i.
        embed_dims: Token widths C_i.
        depths: Transformer blocks; 0 gives a scale without attention.
        num_heads: Attention heads, the same at every scale.
        radii: Local attention radii r_i in the unit of the points; None
            attends globally (pre-training, linear probe).
        point_hidden: Hidden widths of the scale-1 mini-PointNet.
        drop_path_rate: Stochastic depth of the last block; rises from 0.
        stage_norm: LayerNorm on what leaves each stage. The published
            fine-tuning models have none.
        frozen: Nothing of it learns, see :class:`TunedEncoder`.
        lora: Options of :func:`add_low_rank`, whose matrices then are all of it that learns; None for none.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')``
            loads pre-trained weights, says what was loaded and what is new,
            and fails if nothing matched.
    """

    def __init__(self,
                 in_channels: int = 3,
                 num_centers: Sequence[int] = (512, 256, 64),
                 num_neighbors: Sequence[int] = (16, 8, 8),
                 embed_dims: Sequence[int] = (96, 192, 384),
                 depths: Sequence[int] = (5, 5, 5),
                 num_heads: int = 6,
                 radii: Sequence[float] | None = (0.32, 0.64, 1.28),
                 point_hidden: Sequence[int] = (128, 256, 512),
                 drop_path_rate: float = 0.1,
                 stage_norm: bool = True,
                 frozen: bool = False,
                 lora: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        _check_sizes(in_channels, point_hidden, drop_path_rate, num_centers=num_centers, num_neighbors=num_neighbors,
                     embed_dims=embed_dims, depths=depths, **({} if radii is None else dict(radii=radii)))
        self.in_channels = in_channels
        self.num_centers = list(num_centers)
        self.num_neighbors = list(num_neighbors)
        self.embed_dims = list(embed_dims)
        self.radii = list(radii) if radii is not None else [None] * len(embed_dims)

        widths = list(zip(embed_dims[:-1], embed_dims[1:]))
        self.embeddings = nn.ModuleList([MiniPointNet(in_channels, point_hidden, embed_dims[0])])
        self.embeddings.extend(MiniPointNet.merging(fine, coarse) for fine, coarse in widths)
        self.stages = nn.ModuleList(
            Stage(dims, num_heads, rates)
            for dims, rates in zip(embed_dims, split_drop_path(drop_path_rate, depths)))
        self.norms = nn.ModuleList(nn.LayerNorm(dims) if stage_norm else nn.Identity() for dims in embed_dims)
        self.choose_what_learns(frozen, lora)

    def reset_weights(self) -> None:
        """Truncated normal 0.02 for linear weights."""
        init_truncated_normal(self)

    def fit_stored(self, stored: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights to start from: columns of a point beside x, y, z, if these had none, begin without effect."""
        name, extra = 'embeddings.0.lift.weight', self.in_channels - 3
        if extra and name in stored and stored[name].shape[1:] == (3, ):
            if not self.embeddings[0].lift.weight.requires_grad:
                print_log(f'the columns of a point beside x, y, z, {extra}, stay without effect in the encoder: what '
                          'reads them does not learn (frozen or lora).', 'current', logging.WARNING)
            return {**stored, name: F.pad(stored[name], (0, extra))}
        return stored

    def build_scales(self, points: Tensor) -> list[Scale]:
        """``(B, N, in_channels)`` points to S scales, fine to coarse."""
        if not isinstance(points, Tensor):
            raise ValueError(f'the encoder takes one tensor (B, N, {self.in_channels}), got a '
                             f'{type(points).__name__}; m2ae_mm.models.data_preprocessors.stack_clouds joins clouds.')
        if points.dim() != 3 or points.shape[-1] != self.in_channels:
            raise ValueError(f'PointM2AEEncoder(in_channels={self.in_channels}) needs points (B, N, '
                             f'{self.in_channels}), got {tuple(points.shape)}. Give points the columns that it was '
                             'trained with, or set in_channels to those that the data pipeline loads.')
        return build_scales(points[..., :3].float(), self.num_centers, self.num_neighbors)

    def encode(self, points: Tensor, scales: Sequence[Scale], masked: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Encode the visible tokens of every scale.

        Args:
            points: ``(B, N, in_channels)`` the cloud that ``scales`` represents.
            scales: From :meth:`build_scales`.
            masked: One ``(B, N_i)`` bool mask per scale, ``True`` = masked, or
                None if all tokens are visible.

        Returns:
            ``(B, N_i, C_i)`` per scale, zeros at masked centres.
        """
        outputs, below, tokens, finer = [], points[..., :3].float(), None, None
        with self.gradients(), weights_cast_once(self, points):
            for i, scale in enumerate(scales):
                rows = (Rows.of_all(*scale.centers.shape[:2], points.device) if masked is None else Rows.of(masked[i]))
                centers = rows.take(scale.centers)
                # Positions among the joined clouds.
                members = rows.take(scale.neighbors) + (rows.cloud * below.shape[1]).unsqueeze(1)
                groups = _points_of(points, members, centers) if i == 0 else finer.members(tokens, members)
                tokens = self.embeddings[i](groups, rows.total)
                tokens, output = self._attend(i, tokens, centers, rows)
                outputs.append(output)
                below, finer = scale.centers, rows
        return outputs

    def _attend(self, i: int, tokens: Tensor, centers: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        """Run stage ``i`` on rows: ``(R, C_i)`` tokens, and ``(B, N_i, C_i)`` what leaves its norm."""
        pairs = pairs_within(self.radii[i], tokens, centers, rows)
        tokens, output = self.stages[i](tokens, centers, rows, pairs, self.norms[i])
        return tokens, rows.spread(output)

    def forward(self, points: Tensor) -> dict[str, list[Tensor | None]]:
        """Encode whole clouds ``(B, N, in_channels)`` for a detector.

        Returns:
            The dictionary of :func:`detector_outputs`; ``fp_*[-1]`` is the
            coarsest scale. Put a ``PointM2AEPropagation`` neck behind it for
            finer ones.
        """
        scales = self.build_scales(points)
        return detector_outputs(points, scales, self.encode(points, scales))


def _points_of(points: Tensor, members: Tensor, centers: Tensor) -> Tensor:
    """``(R, k, 3 + C)`` members of groups among points ``(B, N, 3 + C)``, xyz relative to ``(R, 3)`` centres."""
    groups = points.float().flatten(0, 1).index_select(0, members.flatten()).view(*members.shape, -1)
    offsets = groups[..., :3] - centers.unsqueeze(1)
    return offsets if groups.shape[-1] == 3 else torch.cat([offsets, groups[..., 3:]], -1)


def _check_sizes(in_channels: int, point_hidden: Sequence[int], drop_path_rate: float, **scales: Sequence) -> None:
    """Raise ``ValueError`` for options that no encoder can have; ``scales`` has those with an entry for each."""
    got = ', '.join(f'{name}={value!r}' for name, value in scales.items())
    if any(isinstance(value, (int, float, str)) for value in scales.values()) or len({*map(len, scales.values())}) != 1:
        raise ValueError(f'{", ".join(scales)} need one entry per scale, got {got}.')
    smallest = dict(num_centers=1, num_neighbors=1, embed_dims=1, depths=0)
    if any(value < least for name, least in smallest.items() for value in scales[name]):
        raise ValueError(f'num_centers, num_neighbors and embed_dims must be at least 1, depths at least 0, got {got}.')
    if in_channels < 3:
        raise ValueError(f'in_channels counts x, y, z and extra channels, so at least 3; got {in_channels}.')
    if len(point_hidden) != 3:
        raise ValueError(f'point_hidden needs three widths, got {point_hidden}.')
    if not 0 <= drop_path_rate < 1:
        raise ValueError(f'drop_path_rate is a share from 0 to below 1, got {drop_path_rate}.')
