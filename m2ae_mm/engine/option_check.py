"""Finds options of loaders and hooks that do not exist, before mmengine fails on them."""
import inspect
from collections.abc import Callable, Sequence

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from m2ae_mm.errors import UserError, did_you_mean
from mmdet3d.registry import HOOKS, OPTIMIZERS

from .config_parts import class_of, hooks_of
from .value_check import check_values

# Taken out of a loader's config by Runner.build_dataloader before PyTorch sees it.
_OF_MMENGINE = {'num_batch_per_epoch', 'disable_subprocess_warning'}
# Read by the registry and the runner; whatever a config inherits from mmdet3d's has the first one.
_OF_EVERY_HOOK = {'_scope_', 'type', 'priority'}


def check_options(config: Config, loaders: Sequence[str]) -> None:
    """Fail with one message for a value that :func:`check_values` refuses, or an unknown option of a loader or hook.

    PyTorch's loader is not built by a registry, and mmengine's checkpoint hook
    takes any option and fails only when the first checkpoint is written. For
    an unknown optimizer, mmengine's error does not name it.

    Raises:
        UserError: Naming the wrong option and the known ones; for an unknown
            optimizer, and for hooks that are no dictionaries.
    """
    check_values(config, loaders)
    if 'train_dataloader' in loaders:
        _check_optimizer(config)
        _check_paramwise(config)
    hooks = dict(hooks_of(config))
    found = {name: config[name] for name in loaders if config.get(name)}
    found.update({f'{path}.dataloader': hook.dataloader for path, hook in hooks.items() if hook.get('dataloader')})
    for path, loader in found.items():
        _check(path, loader, 'DataLoader', _parameters(DataLoader.__init__)[0] | _OF_MMENGINE)
    for path, hook in hooks.items():
        kind = class_of(HOOKS, hook)
        if kind is None:
            continue  # the registry says so
        known, takes_any = _parameters(kind.__init__)
        if issubclass(kind, CheckpointHook):
            known, takes_any = known | _parameters(Runner.save_checkpoint)[0], False  # which gets the rest
        if not takes_any:
            _check(path, hook, kind.__name__, known | _OF_EVERY_HOOK)


def _check_optimizer(config: Config) -> None:
    name = ((config.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    if not isinstance(name, str):
        return
    with OPTIMIZERS.switch_scope_and_registry(config.get('default_scope')) as registry:
        found = registry.get(name)
    if found is None:
        known = sorted({**OPTIMIZERS.module_dict, **OPTIMIZERS.parent.module_dict})
        raise UserError(f'optim_wrapper.optimizer.type={name!r} is none of the optimizers known here: '
                        f'{", ".join(known)}.')


def _check_paramwise(config: Config) -> None:
    wrapper = config.get('optim_wrapper') or {}
    ours = sorted({'layer_decay_rate', 'no_decay'} & {*(wrapper.get('paramwise_cfg') or {})})
    if ours and wrapper.get('constructor', 'DefaultOptimWrapperConstructor') == 'DefaultOptimWrapperConstructor':
        raise UserError(f'optim_wrapper.paramwise_cfg sets {", ".join(ours)}, which mmengine\'s constructor does not '
                        'read. Add optim_wrapper.constructor=M2AEOptimWrapperConstructor.')


def _parameters(function: Callable) -> tuple[set[str], bool]:
    """Names of a method's parameters, and whether it takes any others."""
    parameters = inspect.signature(function).parameters.values()
    named = {each.name for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
    return named - {'self'}, any(each.kind == each.VAR_KEYWORD for each in parameters)


def _check(path: str, options: dict, owner: str, known: set[str]) -> None:
    for name in options:
        if name not in known:
            raise UserError(f'{path} sets {name!r}, which {owner} does not take{did_you_mean(name, known)} It takes '
                            f'{", ".join(sorted(known - {"type", "_scope_"}))}.')
