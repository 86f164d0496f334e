"""Reconstruction head and loss of Point-M2AE (paper section 3.4)."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from m2ae_mm.ops import chamfer_distance
from mmdet3d.registry import MODELS

from ..layers.initialization import PretrainableModule
from ..layers.scales_and_masks import Scale, relative_neighborhoods


class Reconstruction(NamedTuple):
    """What the head predicts and what it should be, of all M centres of B clouds.

    Attributes:
        predicted: ``(B, M, P, 3)`` relative to the centre.
        target: ``(B, M, k, 3)`` the true neighbourhoods, relative to the centre.
        centers: ``(B, M, 3)``.
        masked: ``(B, M)`` bool, ``True`` = masked: only these count.
    """
    predicted: Tensor
    target: Tensor
    centers: Tensor
    masked: Tensor

    def split(self) -> list['Reconstruction']:
        """One for each cloud."""
        return [Reconstruction(*parts) for parts in zip(*(each.split(1) for each in self))]

    def select(self) -> tuple[Tensor, Tensor, Tensor]:
        """Predictions ``(T, P, 3)``, targets and centres of the T masked centres in batch order."""
        return self.predicted[self.masked], self.target[self.masked], self.centers[self.masked]


@MODELS.register_module()
class PointM2AEPretrainHead(PretrainableModule):
    """Predict the neighbourhood of every masked centre of the decoder's last scale.

    Args:
        in_channels: Width of the decoded tokens.
        num_points: Predicted points P per centre. The published head predicts
            k_1 = 16 points against k_2 = 8 true ones.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 in_channels: int = 192,
                 num_points: int = 16,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.predict_points = nn.Linear(in_channels, 3 * num_points)
        self.num_points = num_points

    def forward(self, decoded: Tensor, points: Tensor, scales: Sequence[Scale],
                masked: Sequence[Tensor]) -> Reconstruction:
        """Reconstruct the neighbourhoods of the batch.

        Args:
            decoded: ``(B, N_f, C)`` tokens of scale f.
            points: ``(B, N, 3+)`` the input points.
            scales: The scales 1 to f, fine to coarse.
            masked: Their masks, ``True`` = masked.

        Returns:
            Predictions and targets of all centres: to pick the masked ones the host would wait for a GPU.
        """
        below = scales[-2].centers if len(scales) > 1 else points[..., :3]
        predicted = self.predict_points(decoded).unflatten(-1, (self.num_points, 3))
        target = relative_neighborhoods(below, scales[-1])
        return Reconstruction(predicted.float(), target, scales[-1].centers, masked[-1])

    def loss(self, reconstruction: Reconstruction) -> dict[str, Tensor]:
        """Mean squared-L2 Chamfer distance over all masked tokens of the batch.

        0, and still connected to the network, if nothing is masked.
        """
        predicted, target, _, masked = reconstruction
        distance = chamfer_distance(predicted.flatten(0, 1), target.flatten(0, 1))
        distance = torch.where(masked.flatten(), distance, 0)
        return dict(loss_chamfer=distance.sum() / masked.sum().clamp(min=1))
