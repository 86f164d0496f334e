"""For tests of kernels: those of a CPU, and Triton's, interpreted on a CPU and compiled where there is a GPU.

Triton decides at its import whether to interpret, so ``test_interpreted.py``
runs all files that import this one again in a process with
``TRITON_INTERPRET=1``.
"""
import contextlib
import os
from importlib.util import find_spec

import pytest
import torch

from m2ae_mm.ops import dispatch

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
DEVICE = 'cpu' if INTERPRETED else 'cuda'
_HAS_TRITON = find_spec('triton') is not None
runs_kernels = pytest.mark.skipif(not _HAS_TRITON or not INTERPRETED and not torch.cuda.is_available(),
                                  reason='needs a GPU')
compiles_kernels = pytest.mark.skipif(not _HAS_TRITON or INTERPRETED,
                                      reason='interpreted kernels have nothing to compile')
full_size = pytest.mark.skipif(INTERPRETED, reason='interpreted, this takes too long')

# A test of an operator runs once with each path: tensors on `device` take it within the test (test_ops/conftest.py).
_kernels = [pytest.param('cpu', marks=full_size), pytest.param('gpu', marks=runs_kernels)]
gpu_kernel = pytest.mark.parametrize('device', _kernels[1:], indirect=True)
every_kernel = pytest.mark.parametrize('device', _kernels, indirect=True)
every_path = pytest.mark.parametrize('device', [pytest.param('reference', marks=full_size), *_kernels], indirect=True)


@contextlib.contextmanager
def on_gpu_kernels():
    """Tensors of :data:`DEVICE` take the kernels of a GPU, interpreted ones included."""
    before = dict(dispatch._KERNELS)
    dispatch._KERNELS[DEVICE] = dispatch.GPU
    try:
        yield
    finally:
        dispatch._KERNELS.update(before)


def assert_rounded_once(actual, expected):
    """Whether ``actual`` is ``expected``, float64, up to its own rounding: half a unit in the last place."""
    bound = {torch.float32: 5e-6, torch.bfloat16: 2**-8, torch.float16: 2**-11}[actual.dtype]
    assert actual.shape == expected.shape
    assert (actual.double() - expected).norm() <= bound * expected.norm()
    torch.testing.assert_close(actual.double(), expected, rtol=4 * bound, atol=4 * bound)


def compile_kernel(kernel, types, constants, rest='i32', capability=80, aligned=False, **options):
    """Compile without a GPU: the interpreter accepts what the compiler's types do not.

    Args:
        types: Of arguments by name.
        constants: Values of arguments by name, of others than the kernel's, too.
        rest: Type of the arguments that are in neither.
        aligned: Whether pointers are multiples of 16 bytes.
    """
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', capability, 32)
    constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
    signature = {name: 'constexpr' if name in constants else types.get(name, rest) for name in kernel.arg_names}
    attributes = {(i, ): [['tt.divisibility', 16]] for i, name in enumerate(kernel.arg_names)
                  if aligned and '*' in signature[name]}
    source = compiler.ASTSource(kernel, signature, constexprs=constants, attrs=attributes)
    return compiler.compile(source, target=target, options=options)
