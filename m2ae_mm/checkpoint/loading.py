"""Loading checkpoints into models, with a report."""
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.logging import print_log
from torch import Tensor, nn

from m2ae_mm.errors import UserError, some

from .low_rank import check_low_rank, what_is_new
from .places import resolve
from .published import advice_for
from .reading import read_checkpoint, read_content
from .trained_with import other_settings, trained_classes


def load_matching(module: nn.Module, path: str | Path, prefix: str = '') -> None:
    """Load all tensors of a checkpoint that ``module`` knows and report the rest.

    Args:
        module: Receives the weights, after its ``fit_stored``, if it has one, has made them fit.
        path: Checkpoint file.
        prefix: Only names with this prefix are taken, with the prefix cut off,
            e.g. ``'backbone.'``.

    Raises:
        UserError: If no name matches, or a matching name has another shape.
    """
    stored = read_checkpoint(path)
    found = {name[len(prefix):]: value for name, value in stored.items() if name.startswith(prefix)}
    own = module.state_dict()
    loaded = {name: value for name, value in found.items() if name in own}
    if hasattr(module, 'fit_stored'):
        loaded = module.fit_stored(loaded)
    if not loaded:
        raise UserError(f'nothing in {str(path)!r} fits {type(module).__name__}: looked for names like '
                        f'{prefix + next(iter(own))!r}, the file has names like {next(iter(stored))!r}. '
                        f'{advice_for(stored) or "Check the prefix."}')
    check_types(own, loaded, path)
    check_low_rank(own, found, path)
    wrong = [f'{name}: {tuple(value.shape)} stored, {tuple(own[name].shape)} needed'
             for name, value in loaded.items() if value.shape != own[name].shape]
    if wrong:
        raise UserError(f'{len(wrong)} tensors of {str(path)!r} have another shape than {type(module).__name__} '
                        f'needs ({"; ".join(wrong[:3])}). Build both with the same sizes; --pretrained NAME does so '
                        'for weights that come with the package, whose sizes are in m2ae_mm/weights/NAME.json.')
    module.load_state_dict(loaded, strict=False)
    _report(module, path, loaded, missing=own.keys() - loaded.keys(), unused=found.keys() - loaded.keys())


def load_for_test(model: nn.Module, path: str | Path, classes: Sequence[str] = (),
                  config: Mapping | None = None) -> None:
    """Load a checkpoint that must fit ``model`` exactly, for evaluation.

    A model that uses only a part of its weights says which: ``used_for_test``
    is the beginning of their names, and only these have to fit.

    Args:
        model: The model, possibly wrapped for distributed use.
        path: Checkpoint file.
        classes: Of the test data in the order of their labels, where these must mean what they did in training.
        config: Of the model; settings that do not show in the weights and differ from those of the training are
            warned of.

    Raises:
        UserError: If a tensor is missing, left over or of another shape, or the classes were others.
    """
    model, path = getattr(model, 'module', model), resolve(path)
    content, used = read_content(path), getattr(model, 'used_for_test', '')
    stored, own = ({name: value for name, value in tensors.items() if name.startswith(used)}
                   for tensors in (content['state_dict'], model.state_dict()))
    check_types(own, stored, path)
    problems = differences(own, stored)
    if problems:
        raise UserError(f'{str(path)!r} is no checkpoint of this {type(model).__name__}: {len(problems)} of '
                        f'{len(own)} tensors differ ({"; ".join(problems[:3])}). Use the config and options it was '
                        'trained with, --pretrained NAME and --tuning MODE included.')
    trained = trained_classes(content, path)
    if classes and trained and tuple(classes) != trained:
        raise UserError(f'{str(path)!r} was trained with the classes {", ".join(trained)}, the test data have '
                        f'{", ".join(classes)}, so their labels would not mean the same. Give the test data the list '
                        'of the training: test_dataloader.dataset.classes for a folder of shapes, '
                        'test_dataloader.dataset.metainfo.classes for scenes.')
    others = [each for each in other_settings(config or {}, content, path) if each.startswith(f'model.{used}')]
    if others:
        print_log(f'{path} was trained with other settings, which its weights do not show; test with those of the '
                  f'training: {"; ".join(others)}', logger='current', level=logging.WARNING)
    model.load_state_dict(stored, strict=not used)
    print_log(f'{type(model).__name__}: loaded all {len(own)} tensors from {path}', logger='current')


def check_types(own: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse integers where a model has floating-point numbers, and the other way round.

    Raises:
        UserError: With the first names.
    """
    wrong = [f'{name} is {stored[name].dtype}, the model has {value.dtype}' for name, value in own.items()
             if name in stored and stored[name].is_floating_point() != value.is_floating_point()]
    if wrong:
        raise UserError(f'{len(wrong)} tensors of {str(path)!r} are of another type than the model: '
                        f'{"; ".join(wrong[:3])}.'.replace('torch.', ''))


def differences(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> list[str]:
    """What keeps the tensors of a file from being those of a model, one entry a tensor."""
    problems = [f'{name} is missing' for name in own if name not in stored]
    problems += [f'{name} is not part of the model' for name in stored if name not in own]
    problems += [f'{name} is {tuple(stored[name].shape)}, the model has {tuple(value.shape)}'
                 for name, value in own.items() if name in stored and stored[name].shape != value.shape]
    return problems


def _report(module: nn.Module, path: str | Path, loaded, missing, unused) -> None:
    """One log message: what was loaded, what is new, what was left in the file."""
    lines = [f'{type(module).__name__}: loaded {len(loaded)} tensors from {path}']
    for names, what in (*what_is_new(missing), (sorted(unused), 'in the file but not used')):
        if names:
            lines.append(f'  {len(names)} {what}: {some(names, 6)}')
    print_log('\n'.join(lines), logger='current', level=logging.INFO)


def load_pretrained_init(module: nn.Module, init_cfg: dict | list | None) -> None:
    """Carry out ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)``.

    Takes the place of mmengine's initialiser, which loads silently whatever
    happens to match. A checkpoint of None, a config's empty slot, is only
    mentioned in the log.
    """
    for config in [init_cfg] if isinstance(init_cfg, dict) else init_cfg or []:
        unknown = config.keys() - {'type', 'checkpoint', 'prefix', '_scope_'}
        if unknown:
            raise UserError(f'init_cfg of {type(module).__name__} takes type, checkpoint and prefix, got '
                            f'{", ".join(sorted(unknown))}.')
        if config['type'] != 'Pretrained':
            raise UserError(f"{type(module).__name__} initialises itself; init_cfg may only be of type 'Pretrained', "
                            f"got {config['type']!r}.")
        if config.get('checkpoint'):
            load_matching(module, config['checkpoint'], config.get('prefix', ''))
        else:
            print_log(f'{type(module).__name__}: starts from random weights (init_cfg.checkpoint is None)',
                      logger='current')
