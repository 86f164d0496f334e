"""Max-pool over the members of a group, in one pass each way."""
import numpy as np
import torch
from torch import Tensor

from ..jit import kernel
from ..threads import for_each_part


@kernel
def _forward(values, start, stop, largest, member):
    """Groups ``start`` to ``stop`` of ``values`` (T, k, C): ``largest`` and the ``member`` that has it, (T, C)."""
    _, k, channels = values.shape
    for group in range(start, stop):
        for c in range(channels):
            largest[group, c], member[group, c] = values[group, 0, c], np.int32(0)
        for i in range(np.int32(1), np.int32(k)):
            for c in range(channels):
                value = values[group, i, c]
                # The second test keeps a NaN, as PyTorch does.
                better = value > largest[group, c] or value != value
                largest[group, c] = value if better else largest[group, c]
                member[group, c] = i if better else member[group, c]


@kernel
def _backward(gradient, member, start, stop, result):
    """Spread ``gradient`` (T, C) to the chosen members: all of ``result`` (T, k, C) is written."""
    _, k, channels = result.shape
    for group in range(start, stop):
        for i in range(np.int32(k)):
            for c in range(channels):
                result[group, i, c] = gradient[group, c] if member[group, c] == i else np.float32(0)


def max_over_members(values: Tensor) -> tuple[Tensor, Tensor]:
    """See :func:`m2ae_mm.ops.max_over_members`; float32 or less."""
    count, _, channels = values.shape
    largest, member = torch.empty(count, channels), torch.empty(count, channels, dtype=torch.int32)
    source, outputs = values.detach().float().contiguous().numpy(), (largest.numpy(), member.numpy())
    for_each_part(lambda start, stop: _forward(source, start, stop, *outputs), count)
    return largest.to(values.dtype), member


def max_over_members_backward(gradient: Tensor, member: Tensor, k: int) -> Tensor:
    """See :func:`m2ae_mm.ops.pooling._max_over_members_backward`; float32 or less."""
    count, channels = gradient.shape
    result = torch.empty(count, k, channels)
    sources, output = (gradient.detach().float().contiguous().numpy(), member.numpy()), result.numpy()
    for_each_part(lambda start, stop: _backward(*sources, start, stop, output), count)
    return result.to(gradient.dtype)
