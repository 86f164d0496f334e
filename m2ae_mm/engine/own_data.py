"""What a config leaves to the data: the classes of a model, whether boxes turn, and how large they are."""
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log

from m2ae_mm.checkpoint import read_content, resolve
from m2ae_mm.checkpoint.trained_with import stored_config, trained_classes
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.errors import UserError, reason

from .class_check import named_classes
from .config_parts import LOADERS, annotation_file, datasets_of

# Of the head.
_OPTIONS = ('num_classes', 'num_angle_bins', 'anchor_sizes')
# As in the configs for SUN RGB-D.
_ANGLE_BINS = 12


def leaves_to_data(config: Config) -> bool:
    """Whether a config has ``model.bbox_head.num_classes=None``, which stands for what the data have."""
    model = config.get('model')
    head = model.get('bbox_head') if isinstance(model, dict) else None
    return isinstance(head, Mapping) and 'num_classes' in head and head['num_classes'] is None


def take_from_checkpoint(config: Config, checkpoint: str | Path) -> bool:
    """Fill in what a config leaves to the data with what a checkpoint was trained with.

    Returns:
        Whether there is nothing left to fill.
    """
    fit_segmentor(config)
    if not leaves_to_data(config):
        return True
    path = resolve(checkpoint)
    content = read_content(path, mapped=True)
    classes = trained_classes(content, path)
    head = (stored_config(content).get('model') or {}).get('bbox_head') or {}
    if not classes or head.get('num_classes') != len(classes):
        return False
    _fill(config, classes, {key: head[key] for key in _OPTIONS if key in head})
    return True


def take_from_data(config: Config, loaders: Sequence[str]) -> None:
    """Fill in what a config leaves to the data from the first annotation file that the loaders read.

    Raises:
        FileNotFoundError: If there is no annotation file.
        UserError: If it names no classes or has no boxes.
    """
    fit_segmentor(config)
    if not leaves_to_data(config):
        return
    files = [annotation_file(dataset) for _, dataset in datasets_of(config, loaders)]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise FileNotFoundError(f'the classes are those of the data, and there is no {str(files[0])!r}. Prepare your '
                                'rooms with `m2ae data boxes --scans SCANS --labels LABELS --out DIR` and say where '
                                'they are with --data DIR.')
    content = read_pickle(file)
    try:
        numbers = content['metainfo']['categories']
        classes = sorted(numbers, key=numbers.get)
        boxes = [(box['bbox_label_3d'], np.asarray(box['bbox_3d'], np.float64)) for entry in content['data_list']
                 for box in entry['instances']]
        if not boxes:
            raise UserError('it has no boxes')
        sizes = [np.mean([box[3:6] for label, box in boxes if label == number] or [box[3:6] for _, box in boxes],
                         axis=0).round(4).tolist() for number in range(len(classes))]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise UserError(f'{str(file)!r} does not tell the classes and boxes of the data ({reason(error)}). Prepare '
                        'them again with `m2ae data boxes`.') from error
    if [numbers[name] for name in classes] != list(range(len(classes))):
        raise UserError(f'{str(file)!r} numbers its classes {dict(numbers)}, and labels from 0 on are needed. Prepare '
                        'the data again with `m2ae data boxes`.')
    turned = any(len(box) > 6 for _, box in boxes)
    _fill(config, classes, dict(num_classes=len(classes), num_angle_bins=_ANGLE_BINS if turned else 1,
                                anchor_sizes=sizes))


def fit_segmentor(config: Config) -> None:
    """Give a decode head of mmdet3d's segmentors as many classes as the data sets list.

    So a config for other scenes overrides ``metainfo.classes`` of the data sets only.

    Raises:
        ValueError: If the loss has a weight for each of other classes.
    """
    head = (config.get('model') or {}).get('decode_head')
    if not isinstance(head, Mapping):
        return
    names = next(filter(None, (named_classes(*each) for each in datasets_of(config, LOADERS))), ())
    if not names or head.get('num_classes') == len(names):
        return
    weights = (head.get('loss_decode') or {}).get('class_weight')
    if isinstance(weights, (list, tuple)) and len(weights) != len(names):
        raise UserError(f'model.decode_head.loss_decode.class_weight has {len(weights)} numbers, and the data sets '
                        f'list {len(names)} classes. Give each class a weight, or set class_weight=None.')
    head.update(num_classes=len(names), ignore_index=len(names))
    print_log(f'model.decode_head.num_classes={len(names)}, as the data sets list {", ".join(names)}', 'current',
              logging.INFO)


def _fill(config: Config, classes: Sequence[str], options: Mapping) -> None:
    config.model.bbox_head.update({key: value for key, value in options.items()
                                   if config.model.bbox_head.get(key) is None})
    for _, dataset in datasets_of(config, LOADERS):
        if 'metainfo' in dataset and dataset.metainfo.get('classes') is None:
            dataset.metainfo.classes = list(classes)
    for name, value in (('class_names', list(classes)), ('metainfo', dict(classes=list(classes)))):
        if name in config:
            config[name] = value
