"""Makes mmengine's runner keep a training's results."""
from mmengine.config import ConfigDict
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner

from .hooks import M2AECheckpointHook, M2AEFinitePredictionsHook, M2AEKeepingHook


def keep_results(runner: Runner) -> None:
    """Make a runner that has not started yet resume exactly, write checkpoints whole, and leave out broken steps.

    mmengine's own checkpoint hook and optimizer wrapper become ours, which do
    the same and more; what the config has of other kinds stays. The config,
    which the runner has dumped and puts into checkpoints, stays as the user
    wrote it.

    Args:
        runner: From a config with a training.
    """
    for i, hook in enumerate(runner.hooks):
        if type(hook) is CheckpointHook:
            ours = runner.hooks[i] = M2AECheckpointHook.__new__(M2AECheckpointHook)
            ours.__dict__.update(hook.__dict__)
    for kind in (M2AEKeepingHook, M2AEFinitePredictionsHook):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, dict):
        kind = wrapper.get('type', OptimWrapper)  # which is what no type means
        kind = OPTIM_WRAPPERS.get(kind) if isinstance(kind, str) else kind
        if kind is OptimWrapper:
            runner.optim_wrapper = ConfigDict(wrapper, type='M2AEOptimWrapper')
