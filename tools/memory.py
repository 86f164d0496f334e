"""Settings of the C library's memory allocator. To be made before torch is imported."""
import ctypes
import os
import sys

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Let freed memory be used again, in place of giving it back to the system.

    A training step frees and allocates the same large tensors over and over;
    by default each of them comes from the system, page by page, a quarter of
    a step's time on a CPU. Changes nothing where the C library is not glibc.
    """
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')  # torch asks for large pages
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_TOP_PAD, 2**28)
