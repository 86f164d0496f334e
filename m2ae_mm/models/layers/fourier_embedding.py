"""Random Fourier features of positions (3DETR paper, section 3)."""
import math

import torch
from torch import Tensor, nn


class FourierEmbedding(nn.Module):
    """Sine and cosine of positions projected on random directions.

    Args:
        dims: Width of the embedding, even.
        scale: Standard deviation of the Gaussian directions.
    """

    def __init__(self, dims: int, scale: float = 1.) -> None:
        super().__init__()
        if dims % 2:
            raise ValueError(f'a Fourier embedding has as many sines as cosines, so an even width; got {dims}.')
        # A buffer, not a parameter: drawn once, saved, never trained.
        self.register_buffer('directions', scale * torch.randn(3, dims // 2))

    def forward(self, positions: Tensor) -> Tensor:
        """``(..., 3)`` positions, normalised to [0, 1], to ``(..., dims)`` float32: sines, then cosines."""
        # Half precision would spoil the phases, which reach several turns.
        with torch.autocast(positions.device.type, enabled=False):
            phases = (2 * math.pi * positions.float()) @ self.directions.float()
        return torch.cat([phases.sin(), phases.cos()], -1)
