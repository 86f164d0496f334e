"""Reconstruction head and loss of Point-M2AE (paper section 3.4)."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from m2ae_mm.checkpoint import load_pretrained_init
from m2ae_mm.ops import chamfer_distance
from mmdet3d.registry import MODELS

from ..layers.scales import Scale, relative_neighborhoods


class Reconstruction(NamedTuple):
    """What the head predicts and what it should be.

    Attributes:
        predicted: ``(T, P, 3)`` of the T masked centres in batch order, relative to the centre.
        target: ``(T, k, 3)`` their true neighbourhoods, relative to the centre.
        centers: ``(T, 3)``.
        counts: ``(T,)`` bool, if T are all centres: which of them are masked
            and count; None if all do.
    """
    predicted: Tensor
    target: Tensor
    centers: Tensor
    counts: Tensor | None = None

    def split(self, sizes: Sequence[int]) -> list['Reconstruction']:
        """Parts of so many centres, of masked ones only."""
        parts = zip(*(each.split(sizes) for each in (self.predicted, self.target, self.centers)))
        return [Reconstruction(*part) for part in parts]


@MODELS.register_module()
class PointM2AEPretrainHead(BaseModule):
    """Predict the neighbourhood of every masked centre of the decoder's last scale.

    Args:
        in_channels: Width of the decoded tokens.
        num_points: Predicted points P per centre. The published head predicts
            k_1 = 16 points against k_2 = 8 true ones.
        loss_weight: Factor of the loss.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 in_channels: int = 192,
                 num_points: int = 16,
                 loss_weight: float = 1.,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.predict_points = nn.Linear(in_channels, 3 * num_points)
        self.num_points = num_points
        self.loss_weight = loss_weight

    def init_weights(self) -> None:
        """PyTorch's defaults, as in the published code, then the checkpoint of ``init_cfg``."""
        if not self.is_init:
            load_pretrained_init(self, self.init_cfg)
            self._is_init = True

    def forward(self,
                decoded: Tensor,
                points: Tensor,
                scales: Sequence[Scale],
                masked: Sequence[Tensor],
                select: bool = True) -> Reconstruction:
        """Reconstruct all masked neighbourhoods of the batch.

        Args:
            decoded: ``(B, N_f, C)`` tokens of scale f.
            points: ``(B, N, 3+)`` the input points.
            scales: The scales 1 to f, fine to coarse.
            masked: Their masks, ``True`` = masked.
            select: Predict for the masked centres only, whose number the host
                waits for on a GPU; otherwise for all, with ``counts``.

        Returns:
            Predictions and targets.
        """
        below = scales[-2].centers if len(scales) > 1 else points[..., :3]
        target, centers, hidden = relative_neighborhoods(below, scales[-1]), scales[-1].centers, masked[-1]
        if select:
            decoded, target, centers = decoded[hidden], target[hidden], centers[hidden]
        else:
            decoded, target, centers = (each.flatten(0, 1) for each in (decoded, target, centers))
        predicted = self.predict_points(decoded).view(len(target), self.num_points, 3)
        return Reconstruction(predicted.float(), target, centers, None if select else hidden.flatten())

    def loss(self, reconstruction: Reconstruction) -> dict[str, Tensor]:
        """Mean squared-L2 Chamfer distance over all masked tokens of the batch.

        0, and still connected to the network, if nothing is masked.
        """
        distance = chamfer_distance(reconstruction.predicted, reconstruction.target)
        counted = max(len(distance), 1)
        if reconstruction.counts is not None:
            distance = torch.where(reconstruction.counts, distance, 0)
            counted = reconstruction.counts.sum().clamp(min=1)
        return dict(loss_chamfer=self.loss_weight * distance.sum() / counted)
