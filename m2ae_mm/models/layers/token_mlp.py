"""1x1 convolutions over tokens, channels last."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch_statistics import is_frozen_batch_norm, norm_relu
from .exactness import are_exactly


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
        return self.finish(F.linear(x, *self.affine()) if self._folds() else self.linear(x))

    def affine(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of the linear part and, where its statistics are fixed, of the norm behind it."""
        if not self._folds():
            return self.linear.weight, self.linear.bias
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        return self.linear.weight * scale.unsqueeze(1), self.norm.bias - self.norm.running_mean * scale

    def finish(self, x: Tensor) -> Tensor:
        """What follows :meth:`affine`, for callers that compute that part themselves."""
        if not self._folds():
            return self.dropout(norm_relu(self.norm, x.flatten(0, -2).unsqueeze(1)).view_as(x))
        return self.dropout(F.relu(x))

    def is_as_built(self) -> bool:
        """Whether the linear part computes a product with :meth:`affine` and nothing else."""
        return are_exactly(nn.Linear, self.linear)

    def _folds(self) -> bool:
        """In evaluation, without gradients, a batch norm is a factor of the product before it."""
        return not torch.is_grad_enabled() and is_frozen_batch_norm(self.norm) and self.is_as_built()
