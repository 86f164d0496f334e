"""Hooks of one step each: CUDA graphs, late logging, predictions that are no numbers, freed memory."""
import ctypes
import sys
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook, RuntimeInfoHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from m2ae_mm.evaluation.finite import require_finite
from mmdet3d.registry import HOOKS

from ..late_history import log_late
from ..recording import record_graphs

# Steps between two times that memory is returned.
_INTERVAL = 10


@HOOKS.register_module()
class M2AEGraphsHook(Hook):
    """Has the model's steps go through CUDA graphs, see :func:`record_graphs`."""

    def before_run(self, runner: Runner) -> None:
        """Before the first iteration."""
        record_graphs(runner.model.module if is_model_wrapper(runner.model) else runner.model)


@HOOKS.register_module()
class M2AERuntimeInfoHook(RuntimeInfoHook):
    """mmengine's hook; the values of an iteration are read back when the logger asks for them."""

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Log what the model's ``train_step`` has returned."""
        for key, value in (outputs or {}).items():
            log_late(runner.message_hub, f'train/{key}', value)


@HOOKS.register_module()
class M2AEFinitePredictionsHook(Hook):
    """Refuses NaN and infinite predictions whatever metric scores them; see :func:`require_finite`."""

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence | None = None) -> None:
        """Look at the predictions of a batch."""
        require_finite(outputs or ())

    after_test_iter = after_val_iter


@HOOKS.register_module()
class M2AEMemoryHook(Hook):
    """Returns freed memory to the system every ten steps, where the C library is glibc.

    Every step masks other tokens, so its tensors have other sizes than those of the step before. glibc keeps what is
    freed, in pieces that the next step does not fit into: a training on a CPU grew by 8 MB a step.
    """

    def __init__(self) -> None:
        # Other C libraries have no such function.
        self.trim = getattr(ctypes.CDLL(None), 'malloc_trim', None) if sys.platform == 'linux' else None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Return it, now and then."""
        if self.trim is not None and self.every_n_train_iters(runner, _INTERVAL):
            self.trim(0)
