"""How kernels are compiled."""
from collections.abc import Callable

from numba import njit


def kernel(function: Callable) -> Callable:
    """Compile at the first call, keep the result on disk, run without the interpreter lock.

    Numba's cache notices changes of the function's own file only: after
    editing a kernel that others call, remove ``__pycache__``.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's is writable
        return njit(nogil=True)(function)
