"""Which implementation serves an operator, and the operators torch.compile sees.

CPU tensors go to numba kernels, CUDA tensors to Triton kernels, everything
else, or where numba or Triton is missing, to the PyTorch reference. All return
the same indices. ``M2AE_OPS=reference`` in the environment, or
:func:`use_reference`, sends everything to the reference; ``M2AE_OPS=kernels``
only does without CUDA graphs.
"""
import contextlib
import functools
import importlib
import os
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor

from . import reference

_CONVERTED = (torch.float32, torch.bfloat16, torch.float16)
# Module of the kernels of a kind of device, and the package that they need.
_NUMBA, _TRITON = ('.cpu', 'numba'), ('.triton', 'triton')
_FAST_PATHS = {'cpu': _NUMBA, 'cuda': _TRITON}


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
    """Whether everything is to run as it is written down first."""
    return _switch == 'reference'


def backend(device_type: str) -> ModuleType:
    """The module whose functions serve tensors on such a device (``'cpu'``, ``'cuda'``, ...)."""
    if reference_only() or device_type not in _FAST_PATHS:
        return reference
    return _load(*_FAST_PATHS[device_type])


def graphs_allowed(device_type: str) -> bool:
    """Whether CUDA graphs may be recorded of work on such a device."""
    return device_type == 'cuda' and _switch == 'auto' and backend(device_type) is not reference


@functools.cache
def _load(name: str, needs: str) -> ModuleType:
    try:
        return importlib.import_module(name, __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split('.')[0] != needs:
            raise
        return reference


# Custom operators are opaque to torch.compile: it calls them as they are and
# needs no graph break. All but max_over_members return indices, masks or
# counts, which have no gradient.


@torch.library.custom_op('m2ae_mm::furthest_point_sample', mutates_args=())
def furthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """``(B, num_samples)`` int64 from float32 ``(B, N, 3)``."""
    return backend(points.device.type).furthest_point_sample(points, num_samples)


@torch.library.custom_op('m2ae_mm::knn', mutates_args=())
def knn(queries: Tensor, points: Tensor, k: int) -> Tensor:
    """``(B, M, k)`` int64 from float32 ``(B, M, 3)`` and ``(B, N, 3)``."""
    return backend(points.device.type).knn(queries, points, k)


@torch.library.custom_op('m2ae_mm::ball_query', mutates_args=())
def ball_query(centers: Tensor, points: Tensor, radius: float, num_samples: int, min_radius: float) -> Tensor:
    """``(B, M, num_samples)`` int64 from float32 ``(B, M, 3)`` and ``(B, N, 3)``."""
    return backend(points.device.type).ball_query(centers, points, radius, num_samples, min_radius)


@torch.library.custom_op('m2ae_mm::points_in_boxes', mutates_args=())
def points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    """``(B, N, T)`` bool from float32 ``(B, N, 3)`` and ``(B, 8, T)``, see the reference."""
    return backend(points.device.type).points_in_boxes(points, frames)


@torch.library.custom_op('m2ae_mm::count_in_grids', mutates_args=())
def count_in_grids(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    """``(B, T, cells ** 3 + 3 * slices)`` int64 from float32 ``(B, N, 3)`` and ``(B, 8, T)``, see the reference."""
    return backend(points.device.type).count_in_grids(points, frames, cells, slices)


@torch.library.custom_op('m2ae_mm::max_over_members', mutates_args=())
def max_over_members(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values and int32 members ``(T, C)`` from ``(T, k, C)``."""
    return _pooling_backend(values).max_over_members(values)


@torch.library.custom_op('m2ae_mm::max_over_members_backward', mutates_args=())
def max_over_members_backward(gradient: Tensor, member: Tensor, k: int) -> Tensor:
    """``(T, k, C)``: the gradient ``(T, C)`` at the chosen members, 0 elsewhere."""
    return _pooling_backend(gradient).max_over_members_backward(gradient, member, k)


def _pooling_backend(values: Tensor) -> ModuleType:
    # The kernels are for float32 or less.
    return backend(values.device.type) if values.dtype in _CONVERTED else reference


def cpu_kernels(values: Tensor, converts: bool = False) -> ModuleType | None:
    """The CPU kernels where they serve ``values``: float32 as it is, not empty, not to be compiled.

    For the functions that have a gradient of their own; who gets None takes
    the layers' PyTorch operators. Who ``converts`` to float32 what it gives
    the kernels gets them for half precision and under autocast, too.
    """
    if values.numel() == 0:
        return None
    as_it_is = values.dtype == torch.float32 and not torch.is_autocast_enabled('cpu')
    if not as_it_is and not (converts and values.dtype in _CONVERTED):
        return None
    return _fused_kernels(_NUMBA, values)


def gpu_kernels(values: Tensor) -> ModuleType | None:
    """The fused kernels of :mod:`m2ae_mm.ops.triton` where they serve ``values``, else None.

    For float32 and half precision. They have gradients of their own, which torch.compile would not see.
    """
    return _fused_kernels(_TRITON, values) if values.dtype in _CONVERTED else None


def _fused_kernels(place: tuple[str, str], values: Tensor) -> ModuleType | None:
    device = values.device.type
    if _FAST_PATHS.get(device) != place or torch.compiler.is_compiling():
        return None
    kernels = backend(device)
    return None if kernels is reference else kernels


@furthest_point_sample.register_fake
def _(points: Tensor, num_samples: int) -> Tensor:
    return points.new_empty((points.shape[0], num_samples), dtype=torch.long)


@knn.register_fake
def _(queries: Tensor, _points: Tensor, k: int) -> Tensor:
    return queries.new_empty((*queries.shape[:2], k), dtype=torch.long)


@ball_query.register_fake
def _(centers: Tensor, _points: Tensor, _radius: float, num_samples: int, _min_radius: float) -> Tensor:
    return centers.new_empty((*centers.shape[:2], num_samples), dtype=torch.long)


@points_in_boxes.register_fake
def _(points: Tensor, frames: Tensor) -> Tensor:
    return points.new_empty((*points.shape[:2], frames.shape[2]), dtype=torch.bool)


@count_in_grids.register_fake
def _(points: Tensor, frames: Tensor, cells: int, slices: int) -> Tensor:
    shape = points.shape[0], frames.shape[2], cells**3 + 3 * slices
    return points.new_empty(shape, dtype=torch.long)


@max_over_members.register_fake
def _(values: Tensor) -> tuple[Tensor, Tensor]:
    shape = values.shape[0], values.shape[2]
    return values.new_empty(shape), values.new_empty(shape, dtype=torch.int32)


@max_over_members_backward.register_fake
def _(gradient: Tensor, _member: Tensor, k: int) -> Tensor:
    return gradient.new_empty((gradient.shape[0], k, gradient.shape[1]))


def _save_for_pooling(ctx, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(output[1])
    ctx.k = inputs[0].shape[1]


max_over_members.register_autograd(
    lambda ctx, gradient, _: max_over_members_backward(gradient, *ctx.saved_tensors, ctx.k),
    setup_context=_save_for_pooling)
