"""For tests of Triton kernels: interpreted on a CPU, compiled where there is a GPU.

Triton decides at its import whether to interpret, so ``test_interpreted.py``
runs all files that import this one again in a process with
``TRITON_INTERPRET=1``.
"""
import contextlib
import os

import pytest
import torch

from m2ae_mm.ops import dispatch

pytest.importorskip('triton')
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
DEVICE = 'cpu' if INTERPRETED else 'cuda'
runs_kernels = pytest.mark.skipif(not INTERPRETED and not torch.cuda.is_available(), reason='needs a GPU')
compiles_kernels = pytest.mark.skipif(INTERPRETED, reason='interpreted kernels have nothing to compile')


@contextlib.contextmanager
def on_gpu_kernels():
    """Tensors of :data:`DEVICE` take the kernels of a GPU, interpreted ones included."""
    before = dict(dispatch._FAST_PATHS)
    dispatch._FAST_PATHS[DEVICE] = dispatch._TRITON
    try:
        yield
    finally:
        dispatch._FAST_PATHS.update(before)
