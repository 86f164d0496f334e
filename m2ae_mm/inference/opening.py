"""Opens models by a config, a checkpoint or the name of shipped weights."""
import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn

from m2ae_mm.checkpoint import describe, load_for_test, read_content, resolve, shipped_names
from m2ae_mm.checkpoint.trained_with import stored_config, trained_classes
from m2ae_mm.engine.own_data import take_from_checkpoint
from m2ae_mm.models.shipped import shipped_config
from m2ae_mm.surroundings import find_config
from mmdet3d.registry import MODELS

# Titles of the entries of a description on the screen.
_TITLES = dict(task='task', commands='for', input='input', classes='classes', figures='figures', training='trained on')


def is_checkpoint(name: str) -> bool:
    """Whether this names a checkpoint, which holds its config."""
    return str(name).endswith(('.pth', '.pt', '.safetensors'))


def config_of(weights: str | Path) -> Config:
    """The config that a checkpoint was trained with, from the checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold its config.
    """
    if str(weights) in shipped_names():
        return shipped_config(str(weights))
    path = resolve(weights)
    found = stored_config(read_content(path, mapped=True)) if path.suffix != '.safetensors' else {}
    if not isinstance(found.get('model'), dict):
        raise ValueError(f'{str(weights)!r} does not say which config it was trained with, as checkpoints of our '
                         'trainings do. Give its config, too: --model CONFIG CHECKPOINT.')
    # These name files on the disk of its author; they are not needed.
    return Config({key: value for key, value in found.items() if key not in ('custom_imports', '_base_')})


def config_named(*model: str) -> Config | ConfigDict:
    """The config of what ``--model`` names: weights alone, or a config and perhaps its weights.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If a checkpoint does not hold its config.
    """
    if is_checkpoint(model[0]) or model[0] in shipped_names():
        return config_of(model[0])
    return Config.fromfile(find_config(model[0]))


def open_model(config: Config | ConfigDict, weights: str | Path) -> nn.Module:
    """The model of a config with all of its weights, in evaluation mode.

    Returns:
        The model. Its ``cfg`` is the config, ``dataset_meta`` holds ``classes``, a tuple of names, perhaps empty.

    Raises:
        ValueError: If the weights are of another model.
    """
    init_default_scope('mmdet3d')
    if not take_from_checkpoint(config, weights):
        raise ValueError(f'the config leaves the classes to the data, and {str(weights)!r} does not say with which it '
                         'was trained. Give a checkpoint of a training of ours.')
    model = MODELS.build(copy.deepcopy(config.model))  # mmdet3d's heads change what they are built from
    load_for_test(model, weights, config=config.model)
    model.cfg = config
    model.dataset_meta = dict(classes=_classes(config, weights))
    return model.eval()


def _classes(config: Config | ConfigDict, weights: str | Path) -> tuple[str, ...]:
    path = resolve(weights)
    known = trained_classes(read_content(path, mapped=True), path)
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    listed: Sequence = (dataset.get('metainfo') or {}).get('classes') or dataset.get('classes') or ()
    return tuple(known or listed or config.get('class_names') or ())


def description(name: str) -> str:
    """Describe weights that come with the package in a few lines.

    Raises:
        ValueError: If there are no such weights.
    """
    from . import INFERENCERS
    found = describe(name)
    found['commands'] = ', '.join(f'm2ae {kind.command}' for kind in INFERENCERS if found['task'] in kind.tasks)
    found['input'] = ('rooms in metres, z up, floor at 0; scans in other units and frames are brought there'
                      if found['task'] in ('detection', 'semantic segmentation') else
                      'single shapes of any unit, z up; --up says which axis points up in a file')
    paragraphs = [' '.join(each.split()) for each in found.get('data', '').split('\n\n')]
    first = next((each for each in paragraphs if each and not each.startswith('#')), '')  # that is no title
    found['training'] = found.get('training') or first
    found['classes'] = ', '.join(found.get('classes', ()))
    found['figures'] = '; '.join(f'{what}: {value}' for what, value in (found.get('figures') or {}).items())
    return '\n'.join([name, *(f'  {title:<11}{found[key]}' for key, title in _TITLES.items() if found.get(key))])
