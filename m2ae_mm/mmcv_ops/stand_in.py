"""The module ``mmcv._ext`` where no compiled one is installed.

Loaded under that name by :func:`~m2ae_mm.mmcv_ops.install` or, in processes
that import mmdet3d without m2ae_mm, by ``m2ae_mm_start``. The second happens in
the middle of an import of mmcv, so nothing of m2ae_mm is imported before one of
the functions is called.
"""
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

IS_STAND_IN = True
# Functions of mmcv that call torch.cuda themselves, by the submodule of mmcv.ops that has them.
_WRAPPERS = {
    'furthest_point_sample': ('furthest_point_sample', ),
    'knn': ('knn', ),
    'points_in_boxes': ('points_in_boxes_all', 'points_in_boxes_part'),
}


def __getattr__(name: str) -> Callable[..., Any]:
    # The import system probes for names like __path__ and must see that they are absent.
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return _later('kernel', name)


def _later(kind: str, name: str) -> Callable[..., Any]:
    """A function that finds its implementation, a ``kernel`` or a ``wrapper`` of m2ae_mm, when it is called."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module('m2ae_mm.mmcv_ops'), kind)(name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


def get_compiler_version() -> str:
    """Shown in mmcv's table of the environment."""
    return 'none (operators of m2ae_mm)'


def get_compiling_cuda_version() -> str:
    """Shown in mmcv's table of the environment."""
    return 'none (operators of m2ae_mm)'


def _mend_wrappers() -> None:
    """Replace the functions of :data:`_WRAPPERS`, in ``mmcv.ops`` also where they are imported already."""
    for submodule, names in _WRAPPERS.items():
        module = import_module(f'mmcv.ops.{submodule}')
        for name in names:
            original, replacement = getattr(module, name), _later('wrapper', name)
            for place in [each for key, each in sys.modules.items() if key.startswith('mmcv.ops')]:
                if vars(place).get(name) is original:
                    setattr(place, name, replacement)


# This module is in sys.modules already, and has answers for all that mmcv's submodules ask.
_mend_wrappers()
