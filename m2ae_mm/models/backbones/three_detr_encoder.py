"""The encoder of 3DETR and of its masked variant 3DETR-m (paper, section 3)."""
from collections.abc import Sequence

from torch import Tensor, nn

from mmdet3d.registry import MODELS

from ..layers.attention import attention_mask
from ..layers.detr_transformer import DETREncoderLayer
from ..layers.packing import Rows
from ..layers.scales_and_masks import Scale
from ..layers.set_abstraction import SetAbstraction
from .contract import detector_outputs
from .tuned import TunedEncoder


@MODELS.register_module()
class ThreeDETREncoder(TunedEncoder):
    """Set abstraction, then transformer layers on its tokens.

    The vanilla encoder attends globally and has one scale. The masked one
    (``interim`` and ``masking_radii`` given) attends within a radius that grows
    from layer to layer, and a second set abstraction behind the first layer
    halves the tokens: two scales. Both are backbones for mmdet3d's indoor
    detectors, and :meth:`build_scales` and :meth:`encode` let a masked
    autoencoder pre-train them.

    Args:
        in_channels: Columns of a point: 3 coordinates, then extra channels
            (height, colour) that enter the pre-encoder only.
        num_points: Tokens of scale 1.
        radius: Ball radius of the pre-encoder in metres.
        num_samples: Points per ball.
        mlp_channels: Hidden widths of the pre-encoder.
        embed_dims: Token width.
        num_layers: Transformer layers.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the layers.
        dropout: 0.1 for vanilla, 0.3 for masked.
        masking_radii: One radius per layer in metres; pairs at this distance or
            further do not attend. None attends globally. The paper names 0.4,
            0.8 and 1.2; the published code compares distances with the
            *squares* of these numbers, so its weights expect (0.16, 0.64, 1.44).
        interim: Set abstraction behind the first layer, with the options
            ``num_points``, ``radius``, ``num_samples``, ``mlp_channels``;
            None keeps one scale.
        frozen: Nothing of it learns, see :class:`TunedEncoder`.
        lora: Options of :func:`add_low_rank`, whose matrices then are all of it that learns; None for none.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')``
            loads pre-trained weights.
    """

    def __init__(self,
                 in_channels: int = 3,
                 num_points: int = 2048,
                 radius: float = 0.2,
                 num_samples: int = 64,
                 mlp_channels: Sequence[int] = (64, 128),
                 embed_dims: int = 256,
                 num_layers: int = 3,
                 num_heads: int = 4,
                 feedforward_channels: int = 128,
                 dropout: float = 0.1,
                 masking_radii: Sequence[float] | None = None,
                 interim: dict | None = None,
                 frozen: bool = False,
                 lora: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if in_channels < 3:
            raise ValueError(f'in_channels counts x, y, z and extra channels, so at least 3; got {in_channels}.')
        if masking_radii is not None and len(masking_radii) != num_layers:
            raise ValueError(f'masking_radii needs one radius per layer, got {masking_radii} for {num_layers} layers.')
        if interim is not None and num_layers < 2:
            raise ValueError(f'interim stands behind the first of at least 2 layers, got num_layers={num_layers}.')
        self.in_channels = in_channels
        self.embed_dims = embed_dims
        radii = list(masking_radii) if masking_radii is not None else [None] * num_layers
        layers = [DETREncoderLayer(embed_dims, num_heads, feedforward_channels, dropout) for _ in range(num_layers)]
        channels = [*mlp_channels, embed_dims]
        embeddings = [SetAbstraction(in_channels - 3, channels, num_points, radius, num_samples)]
        split = [num_layers]
        if interim is not None:
            embeddings.append(build_interim(embed_dims, **interim))
            split = [1, num_layers - 1]
        self.embeddings = nn.ModuleList(embeddings)
        self.stages = nn.ModuleList(nn.ModuleList(layers.pop(0) for _ in range(depth)) for depth in split)
        self.radii = [[radii.pop(0) for _ in range(depth)] for depth in split]
        self.choose_what_learns(frozen, lora)

    def build_scales(self, points: Tensor) -> list[Scale]:
        """``(B, N, in_channels)`` points to one or two scales, fine to coarse."""
        if points.dim() != 3 or points.shape[-1] != self.in_channels:
            raise ValueError(f'ThreeDETREncoder(in_channels={self.in_channels}) needs points (B, N, '
                             f'{self.in_channels}), got {tuple(points.shape)}. Set in_channels to the number of '
                             'columns that the data pipeline loads (use_dim, and one more with shift_height).')
        scales: list[Scale] = []
        below, indices = points[..., :3].float(), None
        for embedding in self.embeddings:
            scales.append(embedding.build_scale(below, indices))
            below, indices = scales[-1].centers, scales[-1].indices
        return scales

    def encode(self, points: Tensor, scales: Sequence[Scale], masked: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Encode the visible tokens of every scale.

        Args:
            points: ``(B, N, in_channels)`` the clouds that ``scales`` represents.
            scales: From :meth:`build_scales`.
            masked: One ``(B, N_i)`` bool mask per scale, ``True`` = masked, or
                None if all tokens are visible.

        Returns:
            ``(B, N_i, embed_dims)`` per scale, zeros at masked centres.
        """
        outputs = []
        below, tokens = points[..., :3].float(), points[..., 3:]
        with self.gradients():
            for i, scale in enumerate(scales):
                mask = None if masked is None else masked[i]
                tokens = self.embeddings[i](below, tokens, scale, mask)
                tokens = self._attend(i, tokens, scale.centers, mask)
                outputs.append(tokens)
                below = scale.centers
        return outputs

    def _attend(self, i: int, tokens: Tensor, centers: Tensor, masked: Tensor | None) -> Tensor:
        """Layers of scale ``i + 1`` on the visible tokens ``(B, N_i, C)``."""
        if masked is None:
            return self._run_layers(i, tokens, centers, None)
        rows = Rows.of(masked)
        tokens, centers = (rows.to_clouds(rows.take(each)) for each in (tokens, centers))
        return rows.spread(rows.of_clouds(self._run_layers(i, tokens, centers, rows.padded)))

    def _run_layers(self, i: int, tokens: Tensor, centers: Tensor, padded: Tensor | None) -> Tensor:
        for layer, radius in zip(self.stages[i], self.radii[i]):
            tokens = layer(tokens, attention_mask(centers, padded, radius))
        return tokens

    def forward(self, points: Tensor) -> dict[str, list[Tensor | None]]:
        """Encode whole clouds ``(B, N, in_channels)`` for a detector.

        Returns:
            The dictionary of :func:`detector_outputs`; ``fp_*[-1]`` are the
            tokens that the decoder attends to.
        """
        scales = self.build_scales(points)
        return detector_outputs(points, scales, self.encode(points, scales))


def build_interim(embed_dims: int,
                  num_points: int = 1024,
                  radius: float = 0.4,
                  num_samples: int = 32,
                  mlp_channels: Sequence[int] = (256, 256)) -> SetAbstraction:
    """The set abstraction between two layers, ``embed_dims`` in and out."""
    return SetAbstraction(embed_dims, [*mlp_channels, embed_dims], num_points, radius, num_samples)
