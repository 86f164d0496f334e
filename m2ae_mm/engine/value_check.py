"""Finds entries of a config whose values are wrong, even where mmengine would accept them silently."""
import logging
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmengine.config import Config

from m2ae_mm.errors import UserError
from m2ae_mm.nesting import entries, name_of

_OF_TRAINING = ('train_cfg', 'val_cfg', 'optim_wrapper', 'param_scheduler', 'custom_hooks', 'default_hooks',
                'auto_scale_lr')
# Parts that are dictionaries, or lists of such, if they are there.
_KINDS = dict(
    **dict.fromkeys(('train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper', 'default_hooks', 'randomness', 'env_cfg',
                     'log_processor', 'auto_scale_lr', 'visualizer'), Mapping),
    **dict.fromkeys(('param_scheduler', 'val_evaluator', 'test_evaluator'), (Mapping, list, tuple)))
_RESUME = (True, False, None, 'auto')
_PLACE = 'Set {} to another value, in the config or with --cfg-options.'


class _Range(NamedTuple):
    """Numbers that an entry may have, within both limits; ``text`` says so."""
    text: str
    least: float = -math.inf
    most: float = math.inf
    whole: bool = False

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most and (not self.whole or value % 1 == 0)


_COUNT = _Range('a whole number from 1 on', 1, whole=True)
_FROM_ZERO = _Range('a whole number from 0 on', 0, whole=True)
_ABOVE_ZERO = _Range('a number above 0', math.ulp(0.))
_NOT_NEGATIVE = _Range('a number from 0 on', 0)
_SHARE = _Range('a number from 0 to 1', 0, 1)
# By the name of the entry, wherever it stands; in lists, of every number.
_RANGES = {
    **dict.fromkeys(('max_epochs', 'max_iters', 'val_interval', 'batch_size', 'num_heads', 'num_classes', 'num_points',
                     'num_centers', 'num_neighbors', 'embed_dims', 'encoder_dims', 'in_channels', 'times',
                     'accumulative_counts', 'prefetch_factor', 'base_batch_size', 'votes', 'mesh_points', 'way', 'shot',
                     'test_shots', 'num_queries', 'num_proposal', 'load_dim', 'rank'), _COUNT),
    **dict.fromkeys(('num_workers', 'val_begin', 'fold', 'min_points', 'depths'), _FROM_ZERO),
    'seed': _Range('a whole number from 0 to 4294967295', 0, 2**32 - 1, whole=True),
    **dict.fromkeys(('max_norm', 'radii', 'radius', 'unit_scale', 'layer_decay_rate', 'alpha', 'block_size',
                     'sample_rate'), _ABOVE_ZERO),
    **dict.fromkeys(('lr', 'weight_decay', 'eta_min'), _NOT_NEGATIVE),
    **dict.fromkeys(('mask_ratio', 'test_share', 'dropout', 'mlp_dropout', 'drop_path_rate', 'drop_rate', 'score_thr'),
                    _SHARE),
}


def check_values(config: Config, loaders: Sequence[str]) -> None:
    """Fail with one message if a part of the config is of another kind than it must be, or a number out of range.

    Raises:
        UserError: Naming the entry, its value and what it may be.
    """
    _need(isinstance(config.get('model'), Mapping) and 'type' in config.model, 'model', config.get('model'),
          "dict(type='...', ...)")
    for name, kind in _KINDS.items():
        value = config.get(name)
        fits = value is None or isinstance(value, kind) and (
            isinstance(value, Mapping) or all(isinstance(each, Mapping) for each in value))
        _need(fits, name, value, 'dict(...)' if kind is Mapping else 'dict(...) or a list of such')
    for name in loaders:
        if config.get(name) is not None:
            _check_loader(name, config[name])
    if 'train_dataloader' in loaders:
        _need(config.get('resume') in _RESUME, 'resume', config.get('resume'),
              "True, False or 'auto'; a file to resume from is given with --resume FILE")
    level = config.get('log_level')
    _need(level is None or isinstance(level, int) or level in logging._nameToLevel, 'log_level', level,
          'DEBUG, INFO, WARNING or ERROR')
    used = ['model', 'randomness', *loaders, *(_OF_TRAINING if 'train_dataloader' in loaders else ())]
    for name in used:
        for path, value in entries(config.get(name), name):
            allowed = _RANGES.get(name_of(path))
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if allowed is not None and is_number and not allowed.holds(value):
                raise UserError(f'{path}={value!r} must be {allowed.text}. {_PLACE.format(path)}')


def _check_loader(path: str, loader: object) -> None:
    _need(isinstance(loader, Mapping) and isinstance(loader.get('dataset'), Mapping), f'{path}.dataset',
          loader.get('dataset') if isinstance(loader, Mapping) else loader, "dict(type='...', ...)")
    for place, steps in entries(loader['dataset'], f'{path}.dataset'):
        if not place.endswith('.pipeline') or steps is None:
            continue
        _need(isinstance(steps, Sequence) and not isinstance(steps, str), place, steps, 'a list of steps')
        for i, step in enumerate(steps):
            _need(callable(step) or isinstance(step, Mapping) and 'type' in step, f'{place}.{i}', step,
                  "dict(type='...', ...)")


def _need(fulfilled: bool, path: str, value: object, expected: str) -> None:
    if not fulfilled:
        raise UserError(f'{path} must be {expected}; got {value!r}.')
