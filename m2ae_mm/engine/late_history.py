"""Logged values that are read back when somebody asks for them, not when they are computed.

mmengine reads every loss and the norm of the gradient back in every iteration. Each time the host waits for all queued
work of the GPU, and then the GPU idles until the host has started the next step.
"""
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import Tensor

# Pending values that are read back although nobody has asked for them.
_MAX_PENDING = 1000


def _read_before(name: str) -> property:
    """The attribute ``name``, complete whenever it is asked for."""

    def get(history: 'LateHistory') -> np.ndarray:
        history._read()
        return getattr(history, name)

    return property(get, lambda history, values: setattr(history, name, values))


class LateHistory(HistoryBuffer):
    """Continues mmengine's history of a logged value, takes tensors, too, and keeps them until it is read.

    Copies, and so checkpoints, hold a plain ``HistoryBuffer``.
    """

    def __init__(self, history: HistoryBuffer) -> None:
        self._late: list[Tensor] = []
        super().__init__(*history.data, history.max_length)

    def append(self, value: Tensor) -> None:
        """Add a tensor of one element without reading it."""
        self._late.append(value.detach().reshape(()))
        if len(self._late) >= _MAX_PENDING:
            self._read()

    def _read(self) -> None:
        late, self._late = self._late, []
        if late:
            values = torch.stack(late).tolist()  # one transfer
            self._values = np.append(self._values, values)[-self.max_length:]
            self._counts = np.append(self._counts, np.ones(len(values)))[-self.max_length:]

    # All methods of mmengine's class find the values under these names.
    _log_history, _count_history = _read_before('_values'), _read_before('_counts')

    def __reduce__(self) -> tuple:
        return HistoryBuffer, (*self.data, self.max_length)


def log_late(hub: MessageHub, key: str, value: Any) -> None:
    """``hub.update_scalar(key, value)`` that does not wait for a tensor, except for the first of a key."""
    history = hub.log_scalars.get(key)
    if history is None or not isinstance(value, Tensor):
        hub.update_scalar(key, value)
        return
    if not isinstance(history, LateHistory):
        history = hub.log_scalars[key] = LateHistory(history)
    history.append(value)
