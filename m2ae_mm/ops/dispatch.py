"""Which implementation serves an operator, the operators torch.compile sees, and checks of their input.

An operator is a folder: its reference in PyTorch, which says what it computes,
and beside it ``cpu.py`` (numba) and ``gpu.py`` (Triton) where there are faster
kernels. Those files are imported at their first use. Where numba or Triton is
missing, and on other devices, the reference serves. ``M2AE_OPS=reference`` in
the environment, or :func:`use_reference`, sends everything to the reference;
``M2AE_OPS=kernels`` only does without CUDA graphs.
"""
import contextlib
import functools
import importlib
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

_CONVERTED = frozenset([torch.float32, torch.bfloat16, torch.float16])


class Kernels:
    """The kernels for one kind of device: attribute ``ball`` is the module ``ball/cpu.py``, imported when asked for.

    Args:
        file: Name of its file in the folder of an operator.
        package: What these files import and may not be installed.
    """

    def __init__(self, file: str, package: str) -> None:
        self.file, self.package = file, package

    @functools.cached_property
    def installed(self) -> bool:
        """Whether the package is there."""
        return find_spec(self.package) is not None

    def __getattr__(self, operator: str) -> ModuleType:
        if operator.startswith('_'):
            raise AttributeError(operator)
        module = importlib.import_module(f'.{operator}.{self.file}', __package__)
        setattr(self, operator, module)
        return module


CPU, GPU = Kernels('cpu', 'numba'), Kernels('gpu', 'triton')
_KERNELS = {'cpu': CPU, 'cuda': GPU}


def _read_switch() -> str:
    value = os.environ.get('M2AE_OPS', 'auto')
    if value not in ('auto', 'kernels', 'reference'):
        raise ValueError(f"environment variable M2AE_OPS must be 'auto', 'kernels' or 'reference', got {value!r}.")
    return value


_switch = _read_switch()


@contextlib.contextmanager
def use_reference() -> Iterator[None]:
    """Within this context every operator runs its PyTorch reference."""
    global _switch
    before = _switch
    _switch = 'reference'
    try:
        yield
    finally:
        _switch = before


def reference_only() -> bool:
    """Whether kernels are switched off."""
    return _switch == 'reference'


def kernels_of(device_type: str) -> Kernels | None:
    """The kernels for tensors on such a device (``'cpu'``, ``'cuda'``, ...), None where the references serve."""
    kernels = None if _switch == 'reference' else _KERNELS.get(device_type)
    return kernels if kernels is not None and kernels.installed else None


def graphs_allowed(device_type: str) -> bool:
    """Whether CUDA graphs may be recorded of work on such a device."""
    return device_type == 'cuda' and _switch == 'auto' and kernels_of(device_type) is not None


def operator(*device_types: str) -> Callable[[Callable[..., Any]], Any]:
    """Make the decorated reference ``_NAME`` the operator ``m2ae_mm::NAME``, opaque to torch.compile.

    Args:
        device_types: Devices for which the operator's folder has a kernel
            ``NAME``, with the arguments and results of the reference and for
            float32 or less.

    Returns:
        The operator; it needs a fake (``register_fake``) for torch.compile.
    """

    def register(reference: Callable[..., Any]) -> Any:
        name, folder = reference.__name__.lstrip('_'), reference.__module__.rpartition('.')[2]
        result = custom_op(f'm2ae_mm::{name}', reference, mutates_args=())

        def serve(device_type: str, *arguments: Any) -> Any:
            kernels = kernels_of(device_type) if arguments[0].dtype in _CONVERTED else None
            serving = reference if kernels is None else getattr(getattr(kernels, folder), name, reference)
            return serving(*arguments)

        for device_type in device_types:
            result.register_kernel(device_type, functools.partial(serve, device_type))
        return result

    return register


def cpu_kernels(values: Tensor, converts: bool = False) -> Kernels | None:
    """The kernels of layers for ``values`` on a CPU, or None: then the layer calls PyTorch's operators.

    Args:
        values: Input of the layer; it must not be empty, and float32 outside of autocast.
        converts: The caller converts the kernels' inputs to float32, so half precision and autocast are fine as well.
    """
    if values.numel() == 0:
        return None
    is_float32 = values.dtype == torch.float32 and not torch.is_autocast_enabled('cpu')
    if not is_float32 and not (converts and values.dtype in _CONVERTED):
        return None
    return _fused_kernels(CPU, values)


def gpu_kernels(values: Tensor) -> Kernels | None:
    """The kernels of layers for ``values`` on a GPU in float32 or half precision, or None.

    They are autograd functions, which torch.compile cannot see through: None while it traces.
    """
    return _fused_kernels(GPU, values) if values.dtype in _CONVERTED else None


def _fused_kernels(kernels: Kernels, values: Tensor) -> Kernels | None:
    device = values.device.type
    if _KERNELS.get(device) is not kernels or torch.compiler.is_compiling():
        return None
    return kernels_of(device)


def check_points(points: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless ``points`` is ``(B, N, 3)`` with N >= 1."""
    if points.dim() != 3 or points.shape[-1] != 3:
        raise ValueError(f'{name} must have shape (B, N, 3), got {tuple(points.shape)}.')
    if points.shape[1] == 0:
        raise ValueError(f'{name} holds no point: shape {tuple(points.shape)}.')


def check_pair(queries: Tensor, points: Tensor) -> None:
    """:func:`check_points` of both, and whether they are as many clouds."""
    check_points(queries, 'queries')
    check_points(points, 'points')
    if queries.shape[0] != points.shape[0]:
        raise ValueError(f'queries and points differ in batch size: {tuple(queries.shape)} and {tuple(points.shape)}.')


def check_finite(points: Tensor, name: str, owner: Callable[[int], str] | None = None) -> None:
    """Raise ``ValueError`` if ``points`` holds NaN or infinity.

    For the entry of a model, once per batch: it makes the host wait for a GPU.
    The operators themselves do not check; NaN there gives valid but
    meaningless indices. While torch.compile traces, nothing is checked.

    Args:
        points: Any shape, the last axis one point.
        name: What to call it in the message.
        owner: What to call an entry of the first axis, asked only for the message.
    """
    # Only a finite sum proves all finite, yet a sum is much cheaper than a
    # mask; the rare overflow of finite values is sorted out below.
    if torch.compiler.is_compiling() or points.sum().isfinite():
        return
    broken = ~points.isfinite().all(-1)
    if broken.any():
        where = tuple(broken.nonzero()[0].tolist())
        place = f'{where} of {owner(where[0])}' if owner else f'{where}'
        raise ValueError(f'{name} holds {int(broken.sum())} points with NaN or infinity, the first at {place}: '
                         f'{points[where].tolist()}. Remove such points from the data.')
