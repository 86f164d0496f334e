"""Checks annotation files for entries that mmdet3d's data sets would fail on, or a detector would ignore."""
import json
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import ConfigDict

from m2ae_mm.class_names import as_option
from m2ae_mm.datasets import M2AESceneDataset
from m2ae_mm.datasets.io.annotations import PICKLES, read_annotations
from m2ae_mm.datasets.scene_geometry import alignment_problem
from m2ae_mm.errors import UserError, reading
from mmdet3d.datasets import Det3DDataset, S3DISDataset, ScanNetDataset, SUNRGBDDataset
from mmdet3d.registry import DATASETS, MODELS

from .class_check import named_classes
from .config_parts import annotation_file, class_of, option_of, step_name

_SHOWN = 3
_AGAIN = 'Prepare the data again.'
# Data sets whose reading is known; derived ones that read in a way of their own are left to it.
_KNOWN = (ScanNetDataset, S3DISDataset, SUNRGBDDataset, M2AESceneDataset)
# Sine of a yaw below which a box counts as axis-aligned.
_ALIGNED = 1e-3
_MASKS = ('pts_instance_mask_path', 'pts_semantic_mask_path')
_HULLS = "dict(type='M2AEAxisAlignedBoxes') after LoadAnnotations3D in the pipeline"


class _Use(NamedTuple):
    """A data set of a config, and what its class requires of an entry."""
    path: str
    config: ConfigDict
    kind: type
    names: tuple[str, ...]  # of the labels in the annotation file

    @property
    def reads_boxes(self) -> bool:
        return not self.config.get('test_mode', False) or self.config.get('load_eval_anns', True)

    @property
    def keys(self) -> tuple[str, ...]:
        masks = issubclass(self.kind, ScanNetDataset | S3DISDataset) and not issubclass(self.kind, M2AESceneDataset)
        return ('lidar_points', *(_MASKS if masks else ()), *(('instances', ) if self.reads_boxes else ()))

    @property
    def is_known(self) -> bool:
        return all(getattr(self.kind, method) in [getattr(each, method) for each in _KNOWN]
                   for method in ('load_data_list', 'parse_data_info', 'parse_ann_info'))

    @property
    def turns_yaw(self) -> bool:
        return issubclass(self.kind, M2AESceneDataset) or not issubclass(self.kind, ScanNetDataset | S3DISDataset)


def check_annotations(datasets: Sequence[tuple[str, ConfigDict]], model: Mapping | None = None) -> None:
    """Fail if a class is unknown, an entry lacks something or has an unknown label, or a yaw would be lost.

    Looks at mmdet3d's indoor data sets, those derived from them and
    ``M2AESceneDataset``.

    Args:
        datasets: Those about to be used with their places in the config; their annotation files exist.
        model: Config of the model that trains on them.

    Raises:
        UserError: Naming file, scene, value and what to do; or if an annotation file holds more than arrays and plain
            values.
    """
    for path, dataset in datasets:
        kind = class_of(DATASETS, dataset)
        if kind is None or not issubclass(kind, Det3DDataset):
            continue
        listed = named_classes(path, dataset)
        use = _Use(path, dataset, kind, tuple(kind.METAINFO.get('classes') or listed))
        file = annotation_file(dataset)
        content = _read(file) if use.is_known and file.is_file() else None
        if content is None:
            continue
        if not isinstance(content, dict) or not {'data_list', 'metainfo'} <= content.keys():
            raise UserError(f'{str(file)!r} is no annotation file of mmdet3d 1.1 or later, a dictionary with metainfo '
                            "and data_list. Older ones are converted by mmdet3d's tools/dataset_converters/"
                            'update_infos_to_v2.py; or prepare the data again.')
        with reading(file, 'as annotations of mmdet3d', _AGAIN):
            entries = content['data_list']
            _check_entries(use, file, entries)
            if use.reads_boxes:
                _check_categories(use, file, content['metainfo'].get('categories') or {}, entries)
                if path.startswith('train_dataloader'):
                    _check_yaw(use, file, entries, model or {})


def _read(file: Path) -> Any:
    """Content of a pickle or JSON file; None for other files."""
    if file.suffix in PICKLES:
        return read_annotations(file)
    try:
        return json.loads(file.read_text(encoding='utf-8')) if file.suffix == '.json' else None
    except ValueError:
        return None


def _check_entries(use: _Use, file: Path, entries: Sequence[dict]) -> None:
    found = []
    for i, entry in enumerate(entries):
        with reading(file, f'at entry {i}', _AGAIN):  # whatever it consists of
            found += [(entry, i, *problem)] if (problem := _problem(use, entry)) else []
    if not found:
        return
    lines = [f'{_name(entry, i)} has {problem}' for entry, i, problem, _ in found[:_SHOWN]]
    ways = dict.fromkeys(way for *_, way in found)
    raise UserError(f'{len(found)} of {len(entries)} entries of {str(file)!r} are none that {use.kind.__name__} '
                    f'({use.path}) takes: {"; ".join(lines)}{"; ..." if len(found) > _SHOWN else ""}. '
                    f'{" ".join(ways)}')


def _problem(use: _Use, entry: dict) -> tuple[str, str] | None:
    """What is wrong with an entry, and what to do."""
    missing = [key for key in use.keys if key not in entry]
    if missing:
        way = _AGAIN
        if 'instances' in missing:
            way = 'Scenes without boxes have instances=[]; a test without ground truth sets load_eval_anns=False.'
        elif set(missing) <= {*_MASKS}:
            way = f'Masks of points are not used for boxes: {_scene_dataset(use.path)} does without.'
        return f'no {", ".join(map(repr, missing))}', way
    absent = sorted({'lidar_path', 'num_pts_feats'} - entry['lidar_points'].keys())
    if absent and use.kind.parse_data_info is not SUNRGBDDataset.parse_data_info:
        return f'no {", ".join(map(repr, absent))} in lidar_points', 'They name the point file and its columns.'
    problem = alignment_problem(entry['axis_align_matrix']) if 'axis_align_matrix' in entry else None
    if problem:
        return (f'an axis_align_matrix {problem}',
                'It must be a rotation and a translation; for scenes in other units set M2AESceneFrame.unit_scale.')
    return _box_problem(use, entry['instances']) if use.reads_boxes else None


def _box_problem(use: _Use, instances: Sequence[dict]) -> tuple[str, str] | None:
    for box in instances:
        missing = {'bbox_3d', 'bbox_label_3d', *instances[0]} - box.keys()
        if missing:
            return f'a box without {", ".join(map(repr, sorted(missing)))}', 'Give all boxes of a scene the same keys.'
        for key in (key for key in box if 'label' in key and key != 'attr_label'):
            if not isinstance(box[key], (int, np.integer)) or box[key] not in range(-1, len(use.names)):
                known = f'{use.kind.__name__} knows -1 (none) and 0 to {len(use.names) - 1} ({", ".join(use.names)})'
                return (f'a box with {key}={box[key]!r}',
                        f'{known}. Correct the labels, or list all classes: {_scene_dataset(use.path)} with '
                        f'{use.path}.metainfo.classes="[FIRST,SECOND,...]".')
        numbers = np.asarray(box['bbox_3d'], np.float64)
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            return (f'a box {reprlib.repr(box["bbox_3d"])}',
                    'A box is a list of finite numbers: centre, size and, if it turns, yaw.')
        wanted = 7 if issubclass(use.kind, SUNRGBDDataset) else len(instances[0]['bbox_3d'])
        if len(numbers) != wanted or wanted < 6:
            yaw = 'and yaw' if wanted == 7 else 'and a yaw if all boxes of a scene have one'
            return f'a box of {len(numbers)} numbers', f'{use.kind.__name__} takes centre and size, {yaw}.'
        if not (numbers[3:6] > 0).all():
            return f'a box with the sides {numbers[3:6].tolist()}', 'Sides are above 0; take such boxes out.'
    return None


def _check_categories(use: _Use, file: Path, categories: Mapping, entries: Sequence[dict]) -> None:
    """Refuse labels whose names in the file differ from those of the data set."""
    used = {box['bbox_label_3d'] for entry in entries for box in entry['instances']} - {-1}
    named = {label: [name for name, number in categories.items() if number == label] for label in sorted(used)}
    others = {label: names for label, names in named.items() if names and use.names[label] not in names}
    moved = [label for label, names in others.items() if {*names} & {*use.names}]
    # A single name that the data set lacks may be a synonym; if it lacks all of them, the classes are others.
    strange = [*others] if len(others) == len(named) and use.kind.METAINFO.get('classes') else []
    for label in (moved + strange)[:1]:
        raise UserError(f'the label {label} is {named[label][0]!r} in {str(file)!r}, and {use.names[label]!r} to '
                        f'{use.kind.__name__} ({use.path}). For the classes of the file set '
                        f'{_scene_dataset(use.path)} and '
                        f'{use.path}.metainfo.classes={as_option(sorted(categories, key=categories.get))}.')


def _check_yaw(use: _Use, file: Path, entries: Sequence[dict], model: Mapping) -> None:
    """Refuse boxes with a yaw if the head predicts none, or the data set would not rotate them with the scene."""
    steps = [step_name(step) for step in use.config.get('pipeline') or () if isinstance(step, Mapping)]
    hulls = any(step.endswith('M2AEAxisAlignedBoxes') for step in steps)
    rotated, option = _yaw_of(model)
    if hulls or rotated is None or rotated and use.turns_yaw:
        return
    turned = next(_turned(use, entries), None)
    if turned is None:
        return
    found = f'a box of {turned[0]} in {str(file)!r} has a yaw of {turned[1]:.2f} rad'
    type_option = _scene_dataset(use.path)
    if rotated:
        raise UserError(f'{found}, which {use.kind.__name__} does not turn where its pipeline flips or rotates the '
                        f'scene. Set {type_option}; the rest of the config stays as it is.')
    also = '' if use.turns_yaw else f' {type_option}'
    raise UserError(f'{found}, and the head predicts none, so it would be ignored. For boxes with a yaw set '
                    f'{option}{also}; for their axis-aligned hulls add {_HULLS} of {use.path}.')


def _turned(use: _Use, entries: Sequence[dict]) -> Iterator[tuple[str, float]]:
    """Scene and yaw of boxes with a class, whose yaw is no multiple of half a turn."""
    listed = (use.config.get('metainfo') or {}).get('classes') or use.names
    for i, entry in enumerate(entries):
        for box in entry['instances']:
            if len(box['bbox_3d']) > 6 and box['bbox_label_3d'] >= 0 and use.names[box['bbox_label_3d']] in listed:
                yaw = float(np.asarray(box['bbox_3d'])[6])
                if abs(math.sin(yaw)) > _ALIGNED:
                    yield _name(entry, i), yaw


def _yaw_of(model: Mapping) -> tuple[bool | None, str]:
    """Whether the head predicts a yaw, None if that is not known; and the option that makes it do so."""
    for name in ('bbox_head', 'rpn_head'):
        head = model.get(name) or {}
        bins = option_of(class_of(MODELS, head), 'num_angle_bins')
        if bins is not None:
            return head.get('num_angle_bins', bins.default) > 1, f'model.{name}.num_angle_bins=12'
        coder = head.get('bbox_coder') or {}
        if 'with_rot' in coder:  # mmdet3d's, e.g. VoteNet
            place = f'model.{name}.bbox_coder'
            return bool(coder['with_rot']), f'{place}.with_rot=True {place}.num_dir_bins=12'
    return None, ''


def _name(entry: Mapping, position: int) -> str:
    points = entry.get('lidar_points') or {}
    return repr(points['lidar_path']) if 'lidar_path' in points else f'entry {position}'


def _scene_dataset(path: str) -> str:
    return f'{path}.type=M2AESceneDataset'
