"""What a resumed training takes from its config although the checkpoint has it, too."""
import warnings
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.runner import EpochBasedTrainLoop, Runner

from m2ae_mm.errors import UserError
from mmdet3d.registry import HOOKS

# What a schedule's state holds beside its settings: how far it has come, and what it started from.
_PROGRESS = {'last_step', 'base_values', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter', 'min_values'}


@HOOKS.register_module()
class M2AEResumeHook(Hook):
    """Makes a resumed training follow the learning rate, weight decay and schedule of its config.

    mmengine takes them from the checkpoint, so that a config with others would
    change nothing. Here weights, the optimizer's averages and the position in
    the training are the checkpoint's; options of the optimizer and schedules
    are the config's, where they differ: schedules are gone through from their
    start to the epoch (or iteration) of the checkpoint. The log says what was
    changed. Nothing changes where config and checkpoint agree.

    Belongs into resumed trainings only, as :func:`training_runner` does it.
    """

    priority = 'LOWEST'  # after the hook that checks the optimizer's state

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the config's values into the checkpoint before optimizer and schedules read it.

        Raises:
            UserError: If the checkpoint's optimizer is another one, or has other groups of parameters.
        """
        wrapper, schedules = runner.optim_wrapper, runner.param_schedulers or []
        if not isinstance(wrapper, OptimWrapper) or not isinstance(schedules, list):
            return  # several optimizers: mmengine's way
        groups = checkpoint['optimizer']['param_groups']
        _check_groups(wrapper.optimizer.param_groups, groups)
        told = _other_options(wrapper.optimizer.param_groups, groups)
        stored = checkpoint.get('param_schedulers') or []
        told += _other_schedules(schedules, stored if isinstance(stored, list) else [])
        if not told:
            return
        _go_through(runner, schedules, checkpoint['meta'])
        checkpoint['param_schedulers'] = [each.state_dict() for each in schedules]
        for group, new in zip(groups, wrapper.optimizer.param_groups):
            group.update(_options(new))
        checkpoint['optimizer'].pop('base_param_settings', None)
        if wrapper.base_param_settings is not None:
            checkpoint['optimizer']['base_param_settings'] = wrapper.base_param_settings
        rate = wrapper.optimizer.param_groups[0]['lr']
        runner.logger.info(f'resumed with the learning rate, options of the optimizer and schedules of the config, not '
                           f'of the checkpoint, where they differ: {"; ".join(told)}. The learning rate continues at '
                           f'{rate:.4g}.')


def _options(group: dict) -> dict:
    return {name: value for name, value in group.items() if name != 'params'}


def _start(group: dict, name: str) -> object:
    """An option of a group before any schedule changed it."""
    return group.get(f'initial_{name}', group.get(name))


def _check_groups(new: Sequence[dict], old: Sequence[dict]) -> None:
    """Refuse the state of another optimizer; PyTorch would stop at it later, or take it for its own."""
    instead = ('Resume with the optimizer and the paramwise_cfg that the training was begun with; to start from the '
               'weights alone, leave out --resume and set load_from to the file.')
    sizes = [[len(group['params']) for group in groups] for groups in (old, new)]
    if sizes[0] != sizes[1]:
        raise UserError(f"the checkpoint's optimizer has groups of {sizes[0]} parameters, the config's of {sizes[1]}, "
                        f'so its state does not fit. {instead}')
    names = [{name for name in _options(groups[0]) if not name.startswith('initial_')} for groups in (old, new)]
    if names[0] - names[1] and names[1] - names[0]:
        raise UserError(f"the checkpoint's optimizer has the options {', '.join(sorted(names[0] - names[1]))}, which "
                        f"that of the config has not: it is another one. {instead}")


def _other_options(new: Sequence[dict], old: Sequence[dict]) -> list[str]:
    """Options of the optimizer that differ, each with its first two values."""
    told: dict[str, str] = {}
    for ours, theirs in zip(new, old):
        for name in _options(ours):
            before, after = _start(theirs, name), _start(ours, name)
            if name in theirs and not name.startswith('initial_') and not _same(before, after):
                told.setdefault(name, f'{name} {_short(after)} instead of {_short(before)}')
    return list(told.values())


def _other_schedules(new: Sequence[_ParamScheduler], old: Sequence[dict]) -> list[str]:
    """Schedules with other settings than those stored at their place."""
    told = []
    for i, (schedule, theirs) in enumerate(zip(new, old)):
        ours = schedule.state_dict()
        names = {name for name in {*ours, *theirs} - _PROGRESS if not name.startswith('_')}
        changed = sorted(name for name in names if ours.get(name) != theirs.get(name))
        if changed:
            values = ', '.join(f'{name} {_short(ours.get(name))} instead of {_short(theirs.get(name))}'
                               for name in changed)
            told.append(f'param_scheduler.{i} ({type(schedule).__name__}): {values}')
    if len(new) != len(old):
        told.append(f'{len(new)} instead of {len(old)} schedules')
    return told


def _same(one: object, other: object) -> bool:
    return one == other or isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and [*one] == [*other]


def _short(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def _go_through(runner: Runner, schedules: Sequence[_ParamScheduler], meta: dict) -> None:
    """Step the schedules to where the checkpoint was written, in the order of the training."""
    by_epoch, by_iteration = ([each for each in schedules if each.by_epoch is wanted] for wanted in (True, False))
    epochs, iterations, length = meta['epoch'], meta['iter'], 0
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        length = len(runner.train_loop.dataloader)
        if epochs and iterations % epochs == 0:  # at the end of an epoch, whose length may be another by now
            iterations = epochs * length
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of PyTorch's kind: steps of schedules before any of the optimizer
        for _ in range(epochs):
            _step(by_iteration, length)
            _step(by_epoch, 1)
        _step(by_iteration, iterations - epochs * length)


def _step(schedules: Sequence[_ParamScheduler], times: int) -> None:
    for _ in range(times if schedules else 0):
        for schedule in schedules:
            schedule.step()
