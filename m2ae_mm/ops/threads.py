"""Spreading clouds over threads, for work that releases the interpreter lock.

For the numba kernels, too, and not numba's own threads: its OpenMP layer kills
a process that forks after using it, as a DataLoader does, and its other layer
is not reentrant.
"""
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import torch


def for_each_cloud(kernel: Callable[[int], Any], num_clouds: int) -> list:
    """What ``kernel(cloud)`` returns for all clouds, called on as many threads as torch may use."""
    threads = torch.get_num_threads()
    workers = min(num_clouds, threads)
    if workers <= 1:
        return [kernel(cloud) for cloud in range(num_clouds)]
    results, clouds = [None] * num_clouds, iter(range(num_clouds))

    def work() -> None:
        for cloud in clouds:
            results[cloud] = kernel(cloud)

    # This thread works, too: it need not wait for one that has to wake up first.
    helpers = [_pool(threads - 1).submit(work) for _ in range(workers - 1)]
    try:
        work()
    finally:
        wait(helpers)
    for helper in helpers:
        helper.result()  # raises here what was raised there
    return results


def for_each_part(kernel: Callable[[int, int], Any], count: int) -> list:
    """What ``kernel(start, stop)`` returns for the parts of ``range(count)``, one part a thread."""
    parts = max(min(torch.get_num_threads(), count), 1)
    return for_each_cloud(lambda part: kernel(part * count // parts, (part + 1) * count // parts), parts)


@functools.lru_cache(maxsize=1)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix='m2ae_ops')


if hasattr(os, 'register_at_fork'):
    # A forked child has the pool object, but none of its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
