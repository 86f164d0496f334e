"""Operators under the names of ``mmcv._ext``, and around a compiled one."""
from collections.abc import Callable
from typing import Any

from torch import Tensor

from m2ae_mm.errors import ForUser

from . import box_kernels, point_kernels

EXTENSION_NAME = 'mmcv._ext'

KERNELS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name)
    for module in (point_kernels, box_kernels) for name in module.__all__
}

# Of these a compiled mmcv has a kernel for CPU tensors as well.
COMPILED_FOR_CPU = frozenset(['box_iou_rotated', 'nms', 'nms_rotated', 'points_in_boxes_cpu_forward'])


class MissingOperatorError(ForUser, NotImplementedError):
    """An operator of mmcv that only a compiled mmcv has was called."""


def kernel(name: str) -> Callable[..., Any]:
    """The operator of that name; one that raises :class:`MissingOperatorError` if there is none here."""
    return KERNELS.get(name) or _missing_operator(name)


class CpuExtension:
    """A compiled extension, with :data:`KERNELS` for the CPU tensors it refuses.

    Args:
        compiled: The extension; used for every tensor not on the CPU and for
            every operator not in :data:`KERNELS`.
    """

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled

    def __getattr__(self, name: str) -> Any:
        original = getattr(self.compiled, name)
        if name not in KERNELS or name in COMPILED_FOR_CPU:
            return original

        def by_device(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            chosen = KERNELS[name] if tensor.device.type == 'cpu' else original
            return chosen(tensor, *args, **kwargs)

        return by_device


def _missing_operator(name: str) -> Callable[..., Any]:

    def raise_missing(*args: Any, **kwargs: Any) -> None:
        raise MissingOperatorError(
            f'mmcv operator {name!r} is not among those that m2ae_mm provides without a compiler. Install a compiled '
            'mmcv for your torch and CUDA versions (`mim install "mmcv>=2.0.0rc4,<2.2.0"`) in place of mmcv-lite; '
            'm2ae_mm then uses it.')

    return raise_missing
