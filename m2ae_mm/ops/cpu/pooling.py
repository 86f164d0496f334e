"""Max-pool over the members of a group, in one pass each way."""
import numpy as np

from .jit import kernel


@kernel
def forward(values, start, stop, largest, member):
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
def backward(gradient, member, start, stop, result):
    """Spread ``gradient`` (T, C) to the chosen members: all of ``result`` (T, k, C) is written."""
    _, k, channels = result.shape
    for group in range(start, stop):
        for i in range(np.int32(k)):
            for c in range(channels):
                result[group, i, c] = gradient[group, c] if member[group, c] == i else np.float32(0)
