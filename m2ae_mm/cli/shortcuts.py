"""Options that each set several entries of a config."""
import argparse
from pathlib import Path

from ..errors import UserError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Entries of a learning-rate schedule that count epochs.
_OF_SCHEDULE = ('begin', 'end', 'T_max', 'step_size')
_OF_LOOP = ('val_begin', 'val_interval')
_HOOKS = ('CheckpointHook', 'M2AECheckpointHook', 'M2AELinearProbeHook')


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--data', metavar='DIR', help='folder of the data, for training, validation and test')


def add_epochs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--epochs', type=int, metavar='N',
                        help='train for so many; schedule, warm-up, validation and checkpoints scale with it')


def set_data(config, folder: str) -> None:
    """Make a folder the ``data_root`` of all data sets that loaders read or episodes are drawn from.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'--data: there is no folder {folder!r}.')
    from m2ae_mm.engine import datasets_of
    for _, dataset in datasets_of(config, LOADERS):
        for each in (dataset, dataset.get('source')):
            if each:
                each.data_root = f'{folder.rstrip("/")}/'  # as in mmdet3d's configs


def set_epochs(config, epochs: int) -> None:
    """Train for ``epochs``, with everything that the config counts in epochs scaled alike.

    What was counted from 1 up stays at 1 or more, so a warm-up takes an epoch
    at least; a schedule of which nothing is left is dropped.

    Raises:
        UserError: For less than one epoch, or a config that does not count them.
    """
    loop = config.get('train_cfg') or {}
    if epochs < 1:
        raise UserError(f'--epochs must be 1 or more, got {epochs}.')
    if 'max_epochs' not in loop:
        raise UserError('--epochs needs a config that counts epochs (train_cfg.max_epochs), this one does not.')
    before = loop['max_epochs']

    def scale(entries, keys) -> None:
        for key in keys:
            if entries.get(key):
                entries[key] = max(1, round(entries[key] * epochs / before))

    loop['max_epochs'] = epochs
    scale(loop, _OF_LOOP)
    hooks = [(config.get('default_hooks') or {}).get('checkpoint'), *(config.get('custom_hooks') or [])]
    for hook in hooks:
        # Of the others' intervals, some count iterations.
        if hook and hook['type'] in _HOOKS and hook.get('by_epoch', True):
            scale(hook, ('interval', ))
    schedules = config.get('param_scheduler') or []
    schedules = [schedules] if isinstance(schedules, dict) else schedules
    by_epoch = [schedule for schedule in schedules if schedule.get('by_epoch', True)]
    for schedule in by_epoch:
        scale(schedule, _OF_SCHEDULE)
        if 'milestones' in schedule:
            schedule['milestones'] = sorted({max(1, round(each * epochs / before)) for each in schedule['milestones']})
    empty = [schedule for schedule in by_epoch if schedule.get('begin', 0) >= schedule.get('end', before + epochs)]
    if schedules:
        config.param_scheduler = [schedule for schedule in schedules if schedule not in empty]
