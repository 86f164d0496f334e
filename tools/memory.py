"""Settings of the C library's memory allocator. To be made before torch is imported."""
import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_LARGE_PAGES = 'THP_MEM_ALLOC_ENABLE'


def keep_freed_memory() -> None:
    """Let freed memory be used again, in place of giving it back to the system.

    A training step frees and allocates the same large tensors over and over;
    by default each of them comes from the system, page by page, a quarter of
    a step's time on a CPU. Changes nothing where the C library is not glibc.
    """
    os.environ.setdefault(_LARGE_PAGES, '1')  # torch asks for large pages
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)  # never; any number up to 2 GiB would be less than a step holds
        mallopt(_TOP_PAD, 2**28)


@contextlib.contextmanager
def large_pages_unset() -> Iterator[None]:
    """Processes started within this context do not inherit the wish for large pages."""
    wish = os.environ.pop(_LARGE_PAGES, None)
    try:
        yield
    finally:
        if wish is not None:
            os.environ[_LARGE_PAGES] = wish
