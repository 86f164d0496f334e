"""Token propagation from a scale to the next finer one (paper section 3.4)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate

from .exactness import are_exactly


class PointwiseNorm(nn.Module):
    """Linear layer (a 1x1 convolution) and BatchNorm on ``(B, N, C)`` tokens."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return self.norm(x.flatten(0, 1)).view(x.shape)


class ResidualPointwise(nn.Module):
    """Two 1x1 convolutions with BatchNorm and GELU around a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = PointwiseNorm(channels, channels)
        self.second = PointwiseNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.second(F.gelu(self.first(x))))


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
