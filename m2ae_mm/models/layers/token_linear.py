"""Linear layer over tokens."""
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels


class TokenLinear(nn.Linear):
    """``nn.Linear`` with the product of the CPU kernels where they serve."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, L, in_features)`` to ``(B, L, out_features)``."""
        kernels = cpu_kernels(x)
        return (F if kernels is None else kernels).linear(x, self.weight, self.bias)
