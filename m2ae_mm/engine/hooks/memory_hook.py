"""Memory of the host that a training has freed goes back to the system."""
import ctypes
import sys

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet3d.registry import HOOKS

_INTERVAL = 10


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
