"""Time and memory of calls."""
import contextlib
import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

# So many calls are timed even if they exceed the time allowed: a median of fewer means little.
_LEAST_CALLS = 3


class Timing(NamedTuple):
    """Milliseconds a call: median, 10th and 90th percentile, and the number of calls."""
    median: float
    low: float
    high: float
    calls: int


def summarize(milliseconds: Sequence[float]) -> Timing:
    """Percentiles, interpolated between neighbouring values."""
    median, low, high = np.percentile(milliseconds, [50, 10, 90])
    return Timing(float(median), float(low), float(high), len(milliseconds))


def time_calls(call: Callable[[], Any], device: str, repeats: int, seconds: float) -> list[float]:
    """Milliseconds of each of up to ``repeats`` calls within some ``seconds``, at least three.

    On CUDA, from the end of one call's work on the device to the end of the
    next one's: calls are queued behind each other as in a training.
    """
    start = time.perf_counter()

    def unfinished(done: int) -> bool:
        return done < repeats and (done < _LEAST_CALLS or time.perf_counter() - start < seconds)

    return _time_on_cuda(call, unfinished) if device == 'cuda' else _time_on_host(call, unfinished)


def _time_on_host(call: Callable[[], Any], unfinished: Callable[[int], bool]) -> list[float]:
    times: list[float] = []
    while unfinished(len(times)):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def _time_on_cuda(call: Callable[[], Any], unfinished: Callable[[int], bool]) -> list[float]:
    torch.cuda.synchronize()
    marks = [_mark()]
    while unfinished(len(marks) - 1):
        call()
        marks.append(_mark())
    torch.cuda.synchronize()
    return [before.elapsed_time(after) for before, after in zip(marks[:-1], marks[1:])]


def _mark() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def start_memory(device: str) -> int | None:
    """Let :func:`memory_since` count from now; bytes that the process holds, None where the system does not say."""
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return 0
    if sys.platform.startswith('linux') and hasattr(ctypes.CDLL(None), 'malloc_trim'):
        ctypes.CDLL(None).malloc_trim(0)  # freed memory back to the system, so that its use shows as growth
    with contextlib.suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    return _held('VmRSS')


def memory_since(start: int | None, device: str) -> int | None:
    """Bytes: on CUDA the most reserved since, all in all; on a CPU what the process has grown by at most."""
    if device == 'cuda':
        # Not what is allocated: the tensors of a CUDA graph have their places without being allocated.
        return torch.cuda.max_memory_reserved()
    return None if start is None else _held('VmHWM') - start


def _held(entry: str) -> int | None:
    """``VmRSS`` or its peak ``VmHWM`` of this process in bytes."""
    status = Path('/proc/self/status')
    if not status.is_file():
        return None
    found = next(line for line in status.read_text().splitlines() if line.startswith(entry))
    return 1024 * int(found.split()[1])
