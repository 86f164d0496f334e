"""From the numbers that the 3DETR heads predict to boxes, and back (paper, section 3)."""
import math
from typing import NamedTuple

import torch
from torch import Tensor


class SceneExtent(NamedTuple):
    """The axis-aligned hull of each cloud; positions and sizes are predicted relative to it.

    Attributes:
        minimum: ``(B, 3)`` lowest coordinates in metres.
        size: ``(B, 3)`` side lengths in metres, at least 0.1 so that a flat
            cloud does not divide by zero.
    """
    minimum: Tensor
    size: Tensor

    @classmethod
    def of(cls, points: Tensor) -> 'SceneExtent':
        """Extent of ``(B, N, 3)`` points."""
        minimum, maximum = points.float().aminmax(dim=1)
        return cls(minimum, (maximum - minimum).clamp(min=0.1))

    def normalize(self, positions: Tensor) -> Tensor:
        """``(..., B, M, 3)`` metres to shares of the extent, [0, 1] inside."""
        return (positions - self.minimum.unsqueeze(1)) / self.size.unsqueeze(1)


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


def decode_yaw(logits: Tensor, residuals: Tensor) -> Tensor:
    """``(..., A)`` logits and residuals of A bins to ``(...)`` yaw in radians.

    One bin means axis-aligned boxes: yaw 0 whatever the residual.
    """
    num_bins = logits.shape[-1]
    if num_bins == 1:
        return torch.zeros_like(logits[..., 0])
    bins = logits.argmax(-1, keepdim=True)
    residual = residuals.gather(-1, bins) * (math.pi / num_bins)
    yaw = (bins * (2 * math.pi / num_bins) + residual).squeeze(-1)
    return torch.where(yaw > math.pi, yaw - 2 * math.pi, yaw)


def encode_yaw(yaws: Tensor, num_bins: int) -> tuple[Tensor, Tensor]:
    """Yaw in radians to its bin and the residual over half a bin, in [-1, 1].

    Bin b is centred at ``b * 2 pi / num_bins``. One bin means axis-aligned
    boxes: bin 0, residual 0.
    """
    if num_bins == 1:
        return torch.zeros_like(yaws, dtype=torch.long), torch.zeros_like(yaws)
    width = 2 * math.pi / num_bins
    shifted = (yaws + width / 2) % (2 * math.pi)
    # Rounding may put an angle just below a full turn into a bin of its own.
    bins = (shifted / width).long().clamp(max=num_bins - 1)
    return bins, (shifted - (bins + 0.5) * width) / (width / 2)
