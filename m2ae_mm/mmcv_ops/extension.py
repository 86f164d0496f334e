"""The module object that stands in for ``mmcv._ext``."""
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

from torch import Tensor

from . import box_kernels, point_kernels

EXTENSION_NAME = 'mmcv._ext'

KERNELS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name)
    for module in (point_kernels, box_kernels) for name in module.__all__
}

# Of these a compiled mmcv has a kernel for CPU tensors as well.
COMPILED_FOR_CPU = frozenset(['box_iou_rotated', 'nms', 'nms_rotated', 'points_in_boxes_cpu_forward'])


class MissingOperatorError(NotImplementedError):
    """An operator of mmcv that only a compiled mmcv has was called."""


class StandInExtension(ModuleType):
    """``mmcv._ext`` made of :data:`KERNELS`.

    Every other public name exists too, as mmcv asks for all of its operators
    when it is imported, and raises :class:`MissingOperatorError` when called.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Private names are asked for by Python itself (``__path__``, ...),
        # which must learn that they are absent.
        if name.startswith('_'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        if name in KERNELS:
            return KERNELS[name]
        return _missing_operator(name)

    @staticmethod
    def get_compiler_version() -> str:
        """Shown in mmcv's table of the environment."""
        return 'none (operators of m2ae_mm)'

    @staticmethod
    def get_compiling_cuda_version() -> str:
        """Shown in mmcv's table of the environment."""
        return 'none (operators of m2ae_mm)'


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


class _StandInLoader:
    """Makes the module for its ``__spec__``, which ``mmcv.utils`` looks up."""

    def create_module(self, spec: ModuleSpec) -> StandInExtension:
        return StandInExtension(spec.name, 'Operators of m2ae_mm under the names of mmcv._ext.')

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: the module finds its functions in :data:`KERNELS`."""


def make_extension() -> ModuleType:
    """A new stand-in, complete with ``__spec__`` and ``__loader__``."""
    return module_from_spec(ModuleSpec(EXTENSION_NAME, _StandInLoader(), origin='m2ae_mm.mmcv_ops'))


def _missing_operator(name: str) -> Callable[..., Any]:

    def raise_missing(*args: Any, **kwargs: Any) -> None:
        raise MissingOperatorError(
            f'mmcv operator {name!r} is not among those that m2ae_mm provides without a compiler. Install a compiled '
            'mmcv for your torch and CUDA versions (`mim install "mmcv>=2.0.0rc4,<2.2.0"`) in place of mmcv-lite; '
            'm2ae_mm then uses it.')

    return raise_missing
