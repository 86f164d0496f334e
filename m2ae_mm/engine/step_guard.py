"""Steps whose loss or gradient is not finite: left out, counted, and the end of the training if they go on."""
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from m2ae_mm.errors import ForUser

MOST_IN_A_ROW = 10
# Answers of an accelerator that may be pending before the host waits for one.
_MAX_PENDING = 100
_COPY_INTERVAL = 50


class BrokenTrainingError(ForUser, RuntimeError):
    """A training's numbers are no longer finite, and going on would not mend them."""


def spoil_unless_finite(loss: Tensor) -> Tensor:
    """The loss itself if it is finite; else all gradients will be NaN, in all processes of a job."""
    # A factor of 1 changes no bit. The loss is not looked at: on an accelerator that would be a wait.
    return loss * torch.where(loss.detach().isfinite(), 1., torch.nan)


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Norm of all gradients together."""
    return torch.nn.utils.get_total_norm([each.grad for each in parameters])


class Step(NamedTuple):
    """What is known of a step.

    Attributes:
        number: The iteration.
        finite: Whether loss and gradient were.
        samples: Those of its batches.
    """
    number: int
    finite: bool
    samples: list


class LateFlags:
    """Answers of an accelerator that are read when they are there, without waiting for them."""

    def __init__(self) -> None:
        self._late: deque[tuple[int, Tensor, torch.Event | None, list]] = deque()

    def add(self, number: int, finite: Tensor, samples: list) -> None:
        """Take one answer, a tensor of one element on any device."""
        event = None
        if finite.device.type != 'cpu':
            # A copy that the host need not wait for needs page-locked memory.
            host = torch.empty((), dtype=finite.dtype, pin_memory=finite.device.type == 'cuda')
            host.copy_(finite, non_blocking=True)
            event = torch.Event(finite.device.type)
            event.record()
            finite = host
        self._late.append((number, finite, event, samples))

    def known(self, wait: bool = False) -> Iterator[Step]:
        """Steps in their order, as far as their answers are there; with ``wait`` all."""
        while self._late:
            number, finite, event, samples = self._late[0]
            if event is not None and not event.query():
                if not wait and len(self._late) <= _MAX_PENDING:
                    return
                event.synchronize()
            self._late.popleft()
            yield Step(number, bool(finite), samples)


class RunningStatistics:
    """Copies of the running statistics of norms, from before a batch that spoils them.

    They change in the forward pass, before anything is known of the loss.
    """

    def __init__(self, model: nn.Module) -> None:
        self.tensors = [value for module in model.modules() if isinstance(module, _NormBase)
                        for value in (module.running_mean, module.running_var) if value is not None]
        on_cpu = all(value.device.type == 'cpu' for value in self.tensors)
        # An answer of an accelerator can come many steps late, so an older copy is kept as well.
        self._interval, self._most = (1, 1) if on_cpu else (_COPY_INTERVAL, 2 + _MAX_PENDING // _COPY_INTERVAL)
        self._copies: deque[tuple[int, list[Tensor]]] = deque()
        self._next = 0

    def keep(self, number: int) -> None:
        """Copy what they are before step ``number``, if it is time."""
        if not self.tensors or number < self._next:
            return
        self._next = number + self._interval
        copies = self._copies.popleft()[1] if len(self._copies) == self._most else [
            torch.empty_like(value) for value in self.tensors]
        torch._foreach_copy_(copies, self.tensors)
        self._copies.append((number, copies))

    def restore(self, number: int) -> None:
        """Put back the latest copy from before step ``number`` or as old as there is."""
        while len(self._copies) > 1 and self._copies[-1][0] > number:
            self._copies.pop()
        if self._copies:
            torch._foreach_copy_(self.tensors, self._copies[-1][1])
            self._next = 0
