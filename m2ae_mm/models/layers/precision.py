"""In which precision a layer computes, and casts of weights to it."""
import contextlib

import torch
from torch import Tensor, nn

from m2ae_mm.ops import gpu_kernels


def compute_dtype(x: Tensor) -> torch.dtype:
    """Autocast's choice, or that of ``x``."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def weights_cast_once(module: nn.Module, x: Tensor) -> contextlib.AbstractContextManager:
    """Within this context the kernels of a GPU find all weights of ``module`` cast already, with a few launches."""
    kernels = gpu_kernels(x)
    return contextlib.nullcontext() if kernels is None else kernels.linear.half_copies(module, compute_dtype(x))
