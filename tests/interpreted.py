"""For tests of Triton kernels: interpreted on a CPU, compiled where there is a GPU.

Triton decides at its import whether to interpret, so ``test_interpreted.py``
runs all files that import this one again in a process with
``TRITON_INTERPRET=1``.
"""
import os

import pytest
import torch

pytest.importorskip('triton')
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
DEVICE = 'cpu' if INTERPRETED else 'cuda'
runs_kernels = pytest.mark.skipif(not INTERPRETED and not torch.cuda.is_available(), reason='needs a GPU')
compiles_kernels = pytest.mark.skipif(INTERPRETED, reason='interpreted kernels have nothing to compile')
