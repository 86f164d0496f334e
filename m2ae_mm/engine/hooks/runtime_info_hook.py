"""Logging of losses without a wait in every iteration."""
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner

from mmdet3d.registry import HOOKS

from ..late_history import log_late


@HOOKS.register_module()
class M2AERuntimeInfoHook(RuntimeInfoHook):
    """mmengine's hook; the values of an iteration are read back when the logger asks for them."""

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Log what the model's ``train_step`` has returned."""
        for key, value in (outputs or {}).items():
            log_late(runner.message_hub, f'train/{key}', value)
