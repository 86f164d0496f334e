"""SIGTERM and SIGHUP, by which schedulers and closed terminals end a training."""
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import torch
from mmengine.dist import all_reduce, get_world_size
from torch.utils.data import DataLoader

_SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name))
# Steps between two exchanges of the processes of a job, where each exchange waits for a GPU.
_INTERVAL = 10
EXIT_CODE = 143
# Seconds within which further signals count as one: a scheduler signals all processes of a job, and the launcher among
# them passes its signal on.
_SAME = 3.
# Seconds that a process that loads data lives on after a signal.
_GRACE = 60


class StopSignals:
    """Notes that a signal has come, so that the training can end where nothing is lost.

    A second signal, three seconds later or more, ends the process at once. Signals that are ignored, as
    ``nohup`` does, stay ignored.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._since = 0.
        self._installed: list[int] = []

    def install(self) -> None:
        """Begin to listen; does nothing in a thread, where Python has no signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            # A training that an error has ended leaves its handler behind.
            if handler == signal.SIG_DFL or isinstance(getattr(handler, '__self__', None), StopSignals):
                signal.signal(number, self._note)
                self._installed.append(number)

    def remove(self) -> None:
        """Let signals do what they did before."""
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def _note(self, number: int, _) -> None:
        now = time.monotonic()
        if self.received is None:
            self.received, self._since = signal.Signals(number).name, now
        elif now - self._since >= _SAME:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def agreed(self, step: int) -> bool:
        """Whether to stop after this step, all processes of a job at the same."""
        if get_world_size() == 1:
            return self.received is not None
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device('cpu')
        if device.type != 'cpu' and step % _INTERVAL:
            return False
        wanted = torch.tensor(float(self.received is not None), device=device)
        all_reduce(wanted)
        return bool(wanted)


def shield_workers(loader: DataLoader) -> None:
    """Keep signals to a whole group of processes from ending those that load data before the training is through."""
    if loader.num_workers:
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)


def _start_worker(then: Callable | None, number: int) -> None:
    for each in _SIGNALS:
        signal.signal(each, _first_is_ignored)
    if then is not None:
        then(number)


def _first_is_ignored(number: int, _) -> None:
    # A loader that ends its processes may send no other one, and its parent waits for them.
    signal.signal(number, signal.SIG_DFL)
    signal.alarm(_GRACE)
