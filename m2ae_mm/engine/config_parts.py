"""Parts of a config, with their places in it."""
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import Registry

from m2ae_mm.errors import UserError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
TRAINING, TESTING = LOADERS[:2], LOADERS[2:]


def class_of(registry: Registry, part: Mapping) -> type | None:
    """The class of a part, given by name or as a class; None for an unknown name."""
    kind = part.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind


def option_of(kind: type | None, name: str) -> inspect.Parameter | None:
    """The parameter of a class for an option, perhaps of a base to which it passes options on; None if it has none."""
    if callable(kind) and not isinstance(kind, type):  # registered functions
        return inspect.signature(kind).parameters.get(name)
    for each in getattr(kind, '__mro__', ()):
        if '__init__' in vars(each):
            parameters = inspect.signature(each.__init__).parameters
            if name in parameters:
                return parameters[name]
            if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
                return None
    return None


def step_name(step: Mapping) -> str:
    """The class of a pipeline's step, without scope and module."""
    return str(getattr(step.get('type'), '__name__', step.get('type'))).rpartition('.')[2]


def datasets_of(config: Config, loaders: Sequence[str]) -> list[tuple[str, ConfigDict]]:
    """Innermost data sets of the loaders that the config has, with their places in it."""
    return [entry for loader in loaders if config.get(loader)
            for entry in _datasets(config[loader].dataset, f'{loader}.dataset')]


def _datasets(dataset: ConfigDict, path: str) -> Iterator[tuple[str, ConfigDict]]:
    if dataset.get('dataset') is not None:
        yield from _datasets(dataset.dataset, f'{path}.dataset')
    elif 'datasets' in dataset:
        for i, each in enumerate(dataset.datasets):
            yield from _datasets(each, f'{path}.datasets.{i}')
    else:
        yield path, dataset


def annotation_file(dataset: Mapping) -> Path:
    """``ann_file`` in ``data_root``; the folder if the data set has no such file."""
    return Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')


def class_count(config: Config) -> int | None:
    """Classes of the head of a config's model; None without a head for classes."""
    model = config.get('model') or {}
    heads = (model.get(name) or {} for name in ('head', 'bbox_head', 'rpn_head', 'decode_head'))
    return next((head['num_classes'] for head in heads if 'num_classes' in head), None)


def hooks_of(config: Config) -> Iterator[tuple[str, dict]]:
    """Configs of hooks with their places in the config.

    Raises:
        UserError: For one that is no dictionary.
    """
    hooks = [(f'default_hooks.{name}', hook) for name, hook in (config.get('default_hooks') or {}).items()]
    hooks += [(f'custom_hooks.{i}', hook) for i, hook in enumerate(config.get('custom_hooks') or [])]
    for path, hook in hooks:
        if isinstance(hook, dict):
            yield path, hook
        elif hook is not None and not isinstance(hook, Hook):
            raise UserError(f"{path} must be dict(type='...', ...), got {hook!r}. Add hooks in a config file that "
                            'inherits this one.')


def schedules_of(config: Config) -> list[dict]:
    """Schedules of the learning rate and the like, always as a list."""
    schedules = config.get('param_scheduler') or []
    return [schedules] if isinstance(schedules, dict) else schedules
