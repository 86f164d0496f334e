"""Putting the operators in mmcv's place."""
import functools
import importlib
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from torch import Tensor

from .extension import EXTENSION_NAME, KERNELS, CpuExtension
from .wrappers import REPLACEMENTS

_PATCHED_PACKAGES = ('mmcv', 'mmdet', 'mmdet3d')


def install() -> bool:
    """Give mmcv the operators it lacks; call before mmdet3d is imported.

    Without a compiled extension :mod:`.stand_in` is loaded as ``mmcv._ext``,
    unless ``m2ae_mm_start`` has done so already. A compiled one stays in place
    and goes on serving CUDA tensors; CPU tensors, for which it lacks most
    point operators, come here. Calling this again changes nothing.

    Returns:
        Whether a compiled extension is in use.

    Raises:
        ModuleNotFoundError: If no mmcv is installed.
    """
    compiled = _has_compiled_extension()
    if not compiled:
        if EXTENSION_NAME not in sys.modules:
            _load_stand_in()
        return False
    mmcv_ops = importlib.import_module('mmcv.ops')
    _serve_cpu_tensors()
    for name, replacement in REPLACEMENTS.items():
        original = getattr(mmcv_ops, name)
        if getattr(original, '__module__', None) == replacement.__module__:
            continue  # put there by an earlier call
        _replace_everywhere(name, original, _by_device(original, replacement))
    return True


def _has_compiled_extension() -> bool:
    """Whether ``mmcv._ext`` exists, looked up without importing it."""
    if EXTENSION_NAME in sys.modules:
        return not vars(sys.modules[EXTENSION_NAME]).get('IS_STAND_IN', False)
    mmcv = find_spec('mmcv')
    if mmcv is None:
        raise ModuleNotFoundError('m2ae_mm needs mmcv: `pip install mmcv-lite==2.1.0` (pure Python), or a compiled '
                                  '`mmcv>=2.0.0rc4,<2.2.0`.', name='mmcv')
    return PathFinder.find_spec(EXTENSION_NAME, mmcv.submodule_search_locations) is not None


def _load_stand_in() -> None:
    spec = spec_from_file_location(EXTENSION_NAME, Path(__file__).with_name('stand_in.py'))
    module = sys.modules[EXTENSION_NAME] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[EXTENSION_NAME]
        raise


def _serve_cpu_tensors() -> None:
    """Put :class:`CpuExtension` around the extension in the modules that call it."""
    for name, module in list(sys.modules.items()):
        extension = vars(module).get('ext_module') if name.startswith('mmcv.ops.') else None
        if extension is None or isinstance(extension, CpuExtension):
            continue
        if any(hasattr(extension, kernel) for kernel in KERNELS):
            module.ext_module = CpuExtension(extension)


def _by_device(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """``replacement`` for CPU tensors, ``original`` for all others."""

    @functools.wraps(replacement)
    def choose(*args: Any, **kwargs: Any) -> Any:
        tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        on_cpu = all(tensor.device.type == 'cpu' for tensor in tensors)
        return (replacement if on_cpu else original)(*args, **kwargs)

    return choose


def _replace_everywhere(name: str, original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """Rebind ``name`` in every loaded module that imported ``original``."""
    for module_name, module in list(sys.modules.items()):
        if module_name.split('.')[0] in _PATCHED_PACKAGES and vars(module).get(name) is original:
            setattr(module, name, replacement)
