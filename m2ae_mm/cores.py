"""The number of cores, and work spread over processes."""
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def in_parallel(work: Callable[[Any], Any], items: Sequence, workers: int = 0, first_alone: bool = False) -> Iterator:
    """Results of ``work(item)`` in any order, by so many processes.

    Args:
        work: What is done.
        items: With each of these.
        workers: Processes; 0 takes one for each core.
        first_alone: Do the first item before the processes start, which then inherit what it has compiled and loaded.
    """
    workers = min(workers or cores(), len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    method = 'fork' if sys.platform == 'linux' else 'spawn'
    if first_alone and method == 'fork':
        yield work(items[0])
        items = items[1:]
    with multiprocessing.get_context(method).Pool(min(workers, len(items))) as pool:
        yield from pool.imap_unordered(work, items)
