"""1x1 convolutions over tokens, channels last."""
import torch.nn.functional as F
from torch import Tensor, nn


class TokenLayer(nn.Module):
    """Linear, batch norm, ReLU, dropout on the last axis.

    Batch norm counts every row of every leading axis, as a 1x1 convolution
    followed by a batch norm does.

    Args:
        in_channels: Channels read.
        out_channels: Channels written.
        norm: Batch norm; the linear part has a bias only without it.
        dropout: Probability of dropping a channel of a token.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: bool = True, dropout: float = 0.) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels, bias=not norm)
        self.norm = nn.BatchNorm1d(out_channels) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in_channels)`` to ``(..., out_channels)``."""
        return self.finish(self.linear(x))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the linear part, for callers that compute that part themselves."""
        normalized = self.norm(x.flatten(0, -2)).view_as(x)
        return self.dropout(F.relu(normalized))
