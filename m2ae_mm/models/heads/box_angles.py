"""Yaw as a bin and a residual within it (3DETR paper, section 3)."""
import math

import torch
from torch import Tensor


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
