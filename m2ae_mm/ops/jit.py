"""How kernels are compiled."""
from collections.abc import Callable

from numba import njit


def kernel(function: Callable, **options) -> Callable:
    """Compile at the first call, keep the result on disk, run without the interpreter lock.

    Numba's cache notices changes of the function's own file only: after
    editing a kernel that others call, remove ``__pycache__``.
    """
    try:
        return njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's is writable
        return njit(nogil=True, **options)(function)


def reordering_kernel(function: Callable) -> Callable:
    """A :func:`kernel` that may take sums in another order, as vectors do; keeps infinities and NaN."""
    return kernel(function, fastmath={'reassoc', 'contract', 'nsz'})
