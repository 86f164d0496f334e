"""From the numbers that the 3DETR heads predict to boxes, and back (paper, section 3)."""
from typing import NamedTuple

import torch
from torch import Tensor

from .box_angles import decode_yaw
from .scene_extent import SceneExtent


class BoxPredictions(NamedTuple):
    """Predicted boxes of all decoder layers, float32.

    L layers, B clouds, Q queries, K classes, A angle bins.

    Attributes:
        class_logits: ``(L, B, Q, K + 1)``, the last for "no object".
        centers: ``(L, B, Q, 3)`` gravity centres in metres.
        sizes: ``(L, B, Q, 3)`` full side lengths in metres.
        normalized_centers: ``(L, B, Q, 3)`` in shares of the scene's extent.
        normalized_sizes: ``(L, B, Q, 3)`` in shares of the scene's extent.
        angle_logits: ``(L, B, Q, A)``.
        angle_residuals: ``(L, B, Q, A)`` offset from each bin's centre over
            half a bin.
        yaws: ``(L, B, Q)`` in radians, (-pi, pi].
    """
    class_logits: Tensor
    centers: Tensor
    sizes: Tensor
    normalized_centers: Tensor
    normalized_sizes: Tensor
    angle_logits: Tensor
    angle_residuals: Tensor
    yaws: Tensor

    @property
    def boxes(self) -> Tensor:
        """``(L, B, Q, 7)`` gravity centre, size, yaw."""
        return torch.cat([self.centers, self.sizes, self.yaws.unsqueeze(-1)], -1)

    @property
    def class_probabilities(self) -> Tensor:
        """``(L, B, Q, K)``; they and "no object" sum to 1."""
        return self.class_logits.softmax(-1)[..., :-1]

    @property
    def objectness(self) -> Tensor:
        """``(L, B, Q)`` 1 - probability of "no object"."""
        return 1 - self.class_logits.softmax(-1)[..., -1]


def decode_boxes(raw: dict[str, Tensor], queries: Tensor, extent: SceneExtent) -> BoxPredictions:
    """Boxes from the outputs of the five heads.

    Args:
        raw: ``class_logits``, ``center``, ``size``, ``angle_logits`` and
            ``angle_residuals``, each ``(L, B, Q, .)`` before any activation.
        queries: ``(B, Q, 3)`` query positions in metres; a centre is at most
            half a metre away on each axis.
        extent: Of the clouds.
    """
    raw = {name: value.float() for name, value in raw.items()}
    centers = queries + raw['center'].sigmoid() - 0.5
    normalized_sizes = raw['size'].sigmoid()
    return BoxPredictions(
        class_logits=raw['class_logits'],
        centers=centers,
        sizes=normalized_sizes * extent.size.unsqueeze(1),
        normalized_centers=extent.normalize(centers),
        normalized_sizes=normalized_sizes,
        angle_logits=raw['angle_logits'],
        angle_residuals=raw['angle_residuals'],
        yaws=decode_yaw(raw['angle_logits'], raw['angle_residuals']))
