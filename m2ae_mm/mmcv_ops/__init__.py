"""mmcv's point and box operators without a compiled mmcv.

mmdet3d cannot be imported without ``mmcv._ext``, mmcv's compiled extension,
and most of that extension's point operators exist for CUDA only. This package
puts the operators of :mod:`m2ae_mm.ops` in their place: all of them under
``mmcv-lite``, those for CPU tensors under a compiled mmcv.
"""
from .extension import MissingOperatorError, kernel
from .installation import install
from .wrappers import wrapper

__all__ = ['MissingOperatorError', 'install', 'kernel', 'wrapper']
