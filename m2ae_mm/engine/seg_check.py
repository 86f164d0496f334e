"""Checks the labels of points before a segmentor is built."""
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import ConfigDict

from m2ae_mm.datasets import M2AESceneSegDataset
from m2ae_mm.datasets.io.annotations import read_annotations
from m2ae_mm.datasets.scannet_layout import MASK_VALUES
from m2ae_mm.datasets.scene_segmentation import label_mapping
from m2ae_mm.datasets.transforms.map_labels import mapped
from m2ae_mm.errors import UserError, reading
from m2ae_mm.files import load_array
from mmdet3d.datasets import S3DISSegDataset, ScanNetSegDataset
from mmdet3d.registry import DATASETS

from .config_parts import annotation_file, class_of, step_name

# Scenes of a data set whose masks are read; the others are looked at when they are loaded.
_LOOKED_AT = 5
_AGAIN = 'Prepare the data again.'
_KNOWN = (ScanNetSegDataset, S3DISSegDataset, M2AESceneSegDataset)


def by_annotation_file(datasets: Sequence[tuple[str, ConfigDict]]) -> list[tuple[str, ConfigDict]]:
    """Split data sets of several annotation files, such as S3DIS with one per area, into one data set per file."""
    found = []
    for path, dataset in datasets:
        files = dataset.get('ann_files')
        if files is None:
            found.append((path, dataset))
            continue
        files = [files] if isinstance(files, str) else files
        chosen = dataset.get('scene_idxs')
        chosen = chosen if isinstance(chosen, (list, tuple)) and len(chosen) == len(files) else [chosen] * len(files)
        found += [(path, ConfigDict({**dataset, 'ann_file': file, 'scene_idxs': scenes}))
                  for file, scenes in zip(files, chosen)]
    return found


def check_seg_entries(datasets: Sequence[tuple[str, ConfigDict]]) -> None:
    """Fail if entries of an annotation file lack points or masks, points lack columns, or chosen scenes do not exist.

    Looks at mmdet3d's data sets of ScanNet and S3DIS for segmentation, and ``M2AESceneSegDataset``, split by
    :func:`by_annotation_file`. Their annotation files exist.

    Raises:
        UserError: Naming file and entry, and what to do.
        FileNotFoundError: If the chosen scenes are in a file that does not exist.
    """
    for path, dataset in datasets:
        content = _content(dataset)
        if content is None:
            continue
        load = _step(dataset, 'LoadPointsFromFile')
        _check_entries(path, annotation_file(dataset), content['data_list'], load, _loads_labels(dataset))
        _check_chosen(path, dataset, len(content['data_list']))


def check_masks(datasets: Sequence[tuple[str, ConfigDict]]) -> None:
    """Read a few masks and fail if one has values without a meaning, or none has a value of any class.

    Args:
        datasets: As in :func:`check_seg_entries`; their masks exist and have a value for each point.

    Raises:
        UserError: Naming mask and value.
    """
    for path, dataset in datasets:
        content = _content(dataset) if _loads_labels(dataset) else None
        if content is not None:
            _check_masks(path, dataset, content)


def _content(dataset: ConfigDict) -> Mapping | None:
    """Content of the annotation file of a data set for segmentation; None for other data sets.

    Raises:
        UserError: If that is not what mmdet3d writes.
    """
    kind, file = class_of(DATASETS, dataset), annotation_file(dataset)
    if not (isinstance(kind, type) and issubclass(kind, _KNOWN)) or dataset.get('backend_args') or not file.is_file():
        return None
    content = read_annotations(file)
    if not isinstance(content, Mapping) or not isinstance(content.get('data_list'), (list, tuple)):
        raise UserError(f'{str(file)!r} is no annotation file of mmdet3d 1.1 or later, a dictionary with metainfo and '
                        f'data_list. {_AGAIN}')
    return content


def _step(dataset: ConfigDict, name: str) -> Mapping:
    """The first step of the pipeline of that name; empty if there is none."""
    steps = (step for step in dataset.get('pipeline') or () if isinstance(step, Mapping))
    return next((step for step in steps if step_name(step) == name), {})


def _loads_labels(dataset: ConfigDict) -> bool:
    return bool(_step(dataset, 'LoadAnnotations3D').get('with_seg_3d', False))


def _check_entries(path: str, file: Path, entries: Sequence[Mapping], load: Mapping, labelled: bool) -> None:
    columns = load.get('load_dim', 6) if load else None
    for i, entry in enumerate(entries):
        points = entry.get('lidar_points') if isinstance(entry, Mapping) else None
        if not isinstance(points, Mapping) or not points.get('lidar_path'):
            raise UserError(f'entry {i} of {str(file)!r} ({path}) names no file of points: lidar_points=dict('
                            f"lidar_path='...', num_pts_feats=...). {_AGAIN}")
        if labelled and not isinstance(entry.get('pts_semantic_mask_path'), str):
            raise UserError(f'{points["lidar_path"]!r} in {str(file)!r} ({path}) has no pts_semantic_mask_path, the '
                            f'file with the class of each point. {_AGAIN}')
        there = points.get('num_pts_feats', columns)
        if columns is not None and there != columns:
            lacking = 'x, y, z without colour' if there == 3 else f'{there} columns'
            raise UserError(f'the points of {points["lidar_path"]!r} have {lacking}, and LoadPointsFromFile of {path} '
                            f'reads {columns} (load_dim). Set load_dim={there}, use_dim to columns below that, '
                            'use_color=False without colour, take NormalizePointsColor out, and give the encoder as '
                            'many: model.backbone.in_channels.')


def _check_chosen(path: str, dataset: ConfigDict, count: int) -> None:
    """The scenes that an epoch consists of, if a file lists them."""
    chosen = dataset.get('scene_idxs')
    if not isinstance(chosen, str) or dataset.get('test_mode', False):
        return
    file = Path(dataset.get('data_root') or '', chosen)
    if not file.is_file():
        raise FileNotFoundError(f'{path}.scene_idxs names {str(file)!r}, which does not exist: the scenes of an epoch, '
                                'larger ones more often. tools/create_data.py and `m2ae rooms` write it; '
                                f'M2AESceneSegDataset does without: {path}.scene_idxs=None.')
    with reading(file):
        numbers = load_array(file)
        if not np.issubdtype(numbers.dtype, np.integer) or numbers.ndim != 1 or not len(numbers):
            raise UserError(f'it holds {numbers.dtype} of shape {numbers.shape}, not positions of scenes')
    if numbers.min() < 0 or numbers.max() >= count:
        raise UserError(f'{str(file)!r} ({path}.scene_idxs) names scenes {numbers.min()} to {numbers.max()}, and '
                        f'{dataset.ann_file} has {count}. Prepare the data again: both are of other scenes.')


def _check_masks(path: str, dataset: ConfigDict, content: Mapping) -> None:
    entries, any_label = content['data_list'], False
    mapping, ignored = _mapping(dataset, content)
    for mask in _some_masks(dataset, entries):
        values = np.fromfile(mask, '<i8')
        labels = mapped(values, mapping, len(values), repr(str(mask)))
        any_label = any_label or bool((labels != ignored).any())
    if entries and not any_label:
        raise UserError(f'no point of {min(len(entries), _LOOKED_AT)} scenes of {path} has one of its classes '
                        f'({", ".join(_classes(dataset))}); all are without annotation. Check metainfo.classes and '
                        'the values in the masks.')


def _some_masks(dataset: ConfigDict, entries: Sequence[Mapping]) -> Iterator[Path]:
    """Masks of a few scenes from the first to the last."""
    folder = Path(dataset.get('data_root') or '', (dataset.get('data_prefix') or {}).get('pts_semantic_mask', ''))
    for i in sorted({*np.linspace(0, len(entries) - 1, min(_LOOKED_AT, len(entries))).astype(int).tolist()}):
        mask = folder / entries[i]['pts_semantic_mask_path']
        if mask.is_file():
            yield mask


def _mapping(dataset: ConfigDict, content: Mapping) -> tuple[np.ndarray, int]:
    """The label for each value of a mask, and the label of points without annotation, as the data set assigns them."""
    kind = class_of(DATASETS, dataset)
    if issubclass(kind, M2AESceneSegDataset):
        classes = _classes(dataset)
        values = next((found[MASK_VALUES] for found in (dataset.get('metainfo') or {}, content.get('metainfo') or {})
                       if found.get(MASK_VALUES)), None)
        return label_mapping(classes, values, len(classes), annotation_file(dataset)), len(classes)
    values = kind.METAINFO['seg_valid_class_ids']
    mapping = np.full(len(kind.METAINFO['seg_all_class_ids']) + 1, len(values), np.int64)
    mapping[list(values)] = np.arange(len(values))
    return mapping, len(values)


def _classes(dataset: ConfigDict) -> Sequence[str]:
    return (dataset.get('metainfo') or {}).get('classes') or class_of(DATASETS, dataset).METAINFO.get('classes') or ()
