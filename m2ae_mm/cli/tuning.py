"""Settings of a process that trains on a CPU. To be made before torch is imported."""
import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_VARIABLES = {
    'THP_MEM_ALLOC_ENABLE': '1',  # torch asks for large pages
    # torch's threads (GNU OpenMP) wait some microseconds for more work, then sleep. By default they spin for
    # milliseconds, on cores that the kernels of m2ae_mm.ops and the loading processes want.
    'GOMP_SPINCOUNT': '1000',
}


def tune_process() -> None:
    """Let threads that wait yield, and freed memory be used again in place of giving it back to the system.

    A training step frees and allocates the same large tensors over and over;
    by default each of them comes from the system, page by page, a quarter of
    a step's time on a CPU. Variables that are set already stay; what is not
    known to the system's libraries changes nothing.
    """
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)  # never; any number up to 2 GiB would be less than a step holds
        mallopt(_TOP_PAD, 2**28)


@contextlib.contextmanager
def variables_unset() -> Iterator[None]:
    """Processes started within this context do not inherit the variables set here."""
    before = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
