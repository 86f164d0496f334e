"""Linear layer over tokens."""
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels, gpu_kernels

from .precision import compute_dtype


class TokenLinear(nn.Linear):
    """``nn.Linear`` with the product of the kernels where they serve."""

    def forward(self, x: Tensor, add_bias: bool = True) -> Tensor:
        """``(..., in_features)`` to ``(..., out_features)``; without ``add_bias`` the caller adds it."""
        bias = self.bias if add_bias else None
        kernels = gpu_kernels(x)
        if kernels is not None:
            rows = x.flatten(0, -2).to(compute_dtype(x))
            return kernels.linear.Linear.apply(rows, self.weight, bias).view(*x.shape[:-1], -1)
        kernels = cpu_kernels(x)
        return (F if kernels is None else kernels.linear).linear(x, self.weight, bias)
