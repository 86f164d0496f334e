"""Puts what keeps a training's results into mmengine's runner."""
from mmengine.config import ConfigDict
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, OPTIM_WRAPPERS
from mmengine.runner import EpochBasedTrainLoop, Runner

from .hooks import M2AECheckpointHook, M2AEFinitePredictionsHook, M2AEKeepingHook
from .optimizer import M2AEOptimWrapper
from .random_state import M2AEResumableSampler
from .train_loop import M2AEEpochTrainLoop


def keep_results(runner: Runner) -> None:
    """Have a runner that has not started yet resume exactly, write checkpoints whole, and leave out broken steps.

    mmengine's own checkpoint hook, optimizer wrapper and loop over epochs
    become ours, which do the same and more; what the config has of other
    kinds stays. The config, which the runner has dumped and puts into
    checkpoints, stays as the user wrote it.

    Args:
        runner: From a config with a training.
    """
    for i, hook in enumerate(runner.hooks):
        if type(hook) is CheckpointHook:
            ours = runner.hooks[i] = M2AECheckpointHook.__new__(M2AECheckpointHook)
            ours.__dict__.update(hook.__dict__)
    runner.register_hook(M2AEKeepingHook())
    runner.register_hook(M2AEFinitePredictionsHook())
    if isinstance(runner.optim_wrapper, dict):
        runner.optim_wrapper = _with_type(runner.optim_wrapper, OPTIM_WRAPPERS, OptimWrapper, M2AEOptimWrapper)
    if isinstance(runner._train_loop, dict):
        loop = ConfigDict(runner._train_loop)
        if loop.pop('by_epoch', None) or loop.get('type') is not None:
            loop = _with_type(loop, LOOPS, EpochBasedTrainLoop, M2AEEpochTrainLoop)
            runner._train_loop = loop
    loader = runner._train_dataloader
    if isinstance(loader, dict) and isinstance(loader.get('sampler'), dict):
        sampler = dict(type=M2AEResumableSampler, sampler=loader['sampler'])
        runner._train_dataloader = ConfigDict(loader, sampler=sampler)


def _with_type(config: dict, registry, theirs: type, ours: type) -> ConfigDict:
    """``config`` with our class in place of mmengine's, which is also what no type means."""
    kind = config.get('type', theirs)
    kind = registry.get(kind) if isinstance(kind, str) else kind
    return ConfigDict(config, type=ours) if kind is theirs else ConfigDict(config)
