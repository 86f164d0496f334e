"""Validation and test end at predictions that are no numbers."""
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2ae_mm.evaluation.finite import require_finite
from mmdet3d.registry import HOOKS


@HOOKS.register_module()
class M2AEFinitePredictionsHook(Hook):
    """Refuses NaN and infinite predictions whatever metric scores them; see :func:`require_finite`."""

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence | None = None) -> None:
        """Look at the predictions of a batch."""
        require_finite(outputs or ())

    after_test_iter = after_val_iter
