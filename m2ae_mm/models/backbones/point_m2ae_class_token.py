"""The encoder with a class token (table 10 of the paper)."""
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmdet3d.registry import MODELS

from ..layers.attention import attention_mask
from ..layers.packing import Rows
from ..layers.scales_and_masks import Scale
from .point_m2ae_encoder import PointM2AEEncoder


@MODELS.register_module()
class PointM2AEClassTokenEncoder(PointM2AEEncoder):
    """Puts a learned token in front of the coarsest scale; for classification only.

    It sits at the origin, the centre of a normalised shape, and attends to
    all tokens and is seen by all, whatever the radius. Takes the arguments of
    :class:`PointM2AEEncoder`. The token learns unless all is frozen.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.class_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims[-1]), requires_grad=not self.frozen)

    def reset_weights(self) -> None:
        """As the encoder, the token truncated normal 0.02."""
        nn.init.trunc_normal_(self.class_token, std=0.02)
        super().reset_weights()

    def encode(self, points: Tensor, scales: Sequence[Scale], masked: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Encode whole clouds; the last scale's ``(B, 1 + N_S, C_S)`` have the class token first."""
        if masked is not None:
            raise ValueError('PointM2AEClassTokenEncoder classifies whole clouds; pre-train a PointM2AEEncoder.')
        return super().encode(points, scales)

    def _attend(self, i: int, tokens: Tensor, centers: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        if i < len(self.stages) - 1:
            return super()._attend(i, tokens, centers, rows)
        batch = len(rows.starts)
        tokens, centers = tokens.view(batch, -1, tokens.shape[1]), centers.view(batch, -1, 3)
        tokens = torch.cat([self.class_token.to(tokens.dtype).expand(batch, -1, -1), tokens], 1)
        centers = torch.cat([centers.new_zeros(batch, 1, 3), centers], 1)
        left_out = attention_mask(centers, None, self.radii[i])
        if left_out is not None:
            left_out[..., 0] = False
            left_out[..., 0, :] = False
        rows = Rows.of_all(*centers.shape[:2], centers.device)
        tokens, output = self.stages[i](tokens.flatten(0, 1), centers.flatten(0, 1), rows, left_out, self.norms[i])
        return tokens, rows.spread(output)
