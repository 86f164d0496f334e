"""The figure of the validation that hooks and schedules watch, chosen and checked before the training."""
from collections.abc import Iterator, Mapping

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook

from m2ae_mm.errors import UserError, did_you_mean, some
from m2ae_mm.evaluation import MetricNames, names_of
from mmdet3d.registry import HOOKS

from .class_check import named_classes
from .config_parts import class_of, datasets_of, hooks_of, schedules_of

_SHOWN = 8


def choose_metrics(config: Config) -> list[str]:
    """Check what ``save_best`` of checkpoints and ``monitor`` of early stopping and plateau schedules name.

    mmengine looks for the name after the first validation, hours in. Metrics
    that do not state their names (see ``MetricNames``) are left to it.

    Args:
        config: A full config, changed in place: ``save_best='auto'`` becomes
            the main figure of the first metric, and ``rule`` is filled in.

    Returns:
        Messages about choices made here.

    Raises:
        UserError: For a name that validation will not give, or if there is no validation.
    """
    watchers = list(_watchers(config))
    if not watchers:
        return []
    if not all(config.get(name) for name in ('val_dataloader', 'val_evaluator', 'val_cfg')):
        raise UserError(f'{watchers[0][0]}={watchers[0][1][watchers[0][2]]!r} needs a validation, which this config '
                        'does not have (val_dataloader, val_evaluator, val_cfg).')
    stated = _names(config)
    known = [each for each in stated if each]
    told = []
    for path, options, key in watchers:
        wanted = options[key] if isinstance(options[key], list | tuple) else [options[key]]
        if not wanted or not all(isinstance(name, str) for name in wanted):
            raise UserError(f"{path}={options[key]!r} is no name of a figure, nor 'auto' or None.")
        if not known:
            continue
        if key == 'save_best' and wanted == ['auto']:
            wanted = [known[0].main]
            told.append(f'the best checkpoint is that of the best {wanted[0]} ({path}=auto).')
        if len(known) == len(stated):
            _check_names(path, wanted, known)
        options[key] = wanted if isinstance(options[key], list | tuple) else wanted[0]
        names = {name for each in known for name in each.all}
        if options.get('rule') is None and names.issuperset(wanted):
            less = {name for each in known for name in each.lower_is_better}
            rules = ['less' if name in less else 'greater' for name in wanted]
            options['rule'] = rules if isinstance(options[key], list | tuple) else rules[0]
    return told


def main_figure(config: Config) -> tuple[str, bool]:
    """Name of the main figure of the first metric of the validation, and whether less of it is better.

    Raises:
        UserError: If there is no validation, or its metrics do not state their names.
    """
    evaluated = all(config.get(name) for name in ('val_dataloader', 'val_evaluator', 'val_cfg'))
    stated = next(filter(None, _names(config)), None) if evaluated else None
    if stated is None:
        raise UserError('the config has no validation whose main figure is known (val_dataloader, val_evaluator, '
                        'val_cfg).')
    return stated.main, stated.main in stated.lower_is_better


def _watchers(config: Config) -> Iterator[tuple[str, dict, str]]:
    """Place in the config, options and key of every hook or schedule that watches a figure of the validation."""
    for path, hook in hooks_of(config):
        kind = class_of(HOOKS, hook)
        for base, key in ((CheckpointHook, 'save_best'), (EarlyStoppingHook, 'monitor')):
            if isinstance(kind, type) and issubclass(kind, base) and hook.get(key) is not None:
                yield f'{path}.{key}', hook, key
    for i, schedule in enumerate(schedules_of(config)):
        if 'ReduceOnPlateau' in str(schedule.get('type')):
            schedule.setdefault('monitor', 'loss')  # mmengine's default, which no validation gives
            yield f'param_scheduler.{i}.monitor', schedule, 'monitor'


def _names(config: Config) -> list[MetricNames | None]:
    """Of every metric of the validation, None where they are not known."""
    metrics = config.val_evaluator
    if isinstance(metrics, Mapping) and 'metrics' in metrics:  # mmengine's Evaluator spelt out
        metrics = metrics['metrics']
    classes = next((named_classes(*each) for each in datasets_of(config, ['val_dataloader'])), ())
    return [names_of(each, classes) for each in (metrics if isinstance(metrics, list | tuple) else [metrics])]


def _check_names(path: str, wanted: list[str], known: list[MetricNames]) -> None:
    names = [name for each in known for name in each.all]
    for name in wanted:
        if name not in names:
            raise UserError(f'{path} names {name!r}, which the validation does not give{did_you_mean(name, names)} It '
                            f'gives {some(names, _SHOWN)}.')
