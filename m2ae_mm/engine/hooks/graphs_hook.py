"""CUDA graphs in runs."""
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdet3d.registry import HOOKS

from ..recording import record_graphs


@HOOKS.register_module()
class M2AEGraphsHook(Hook):
    """Has the model's steps go through CUDA graphs, see :func:`record_graphs`."""

    def before_run(self, runner: Runner) -> None:
        """Before the first iteration."""
        record_graphs(runner.model.module if is_model_wrapper(runner.model) else runner.model)
