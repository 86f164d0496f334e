"""Finds point files of scenes that are missing, cut short, or unlike rooms."""
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import ConfigDict

from m2ae_mm.datasets.io.annotations import PICKLES, read_annotations
from m2ae_mm.datasets.io.problems import Problems
from m2ae_mm.errors import UserError
from m2ae_mm.files import inside
from mmdet3d.registry import DATASETS

from .config_parts import annotation_file, class_of, option_of, step_name
from .scene_warnings import Scenes, warn_of_caps, warn_of_frames

_MASK_BYTES = 8  # of a point: int64
# Keys of data_prefix by the options of LoadAnnotations3D.
_MASKS = dict(with_mask_3d='pts_instance_mask', with_seg_3d='pts_semantic_mask')


def check_scenes(datasets: Sequence[tuple[str, ConfigDict]]) -> None:
    """Fail if an annotation file lists no scene, or names point files or masks that are missing or cut short.

    Looks at mmdet3d's data sets that read such files from this machine; those
    with ``indices``, for which part of the scenes is enough, are left out.
    Their annotation files exist. Sizes are compared, and a few files read: see :func:`warn_of_frames`.

    Raises:
        FileNotFoundError: If files are missing, with the first names.
        UserError: If all are there and some are cut short, or there is none,
            or an annotation file holds more than arrays and plain values or
            names a file outside the data set's folders.
    """
    reading = [(path, dataset, step) for path, dataset in datasets for step in dataset.get('pipeline') or ()
               if _reads_local_scenes(dataset, step)]
    entries = {path: _entries(dataset) for path, dataset in datasets if _is_local(dataset)}
    checked = [Scenes(path, dataset, step, _point_files(dataset, entries[path])) for path, dataset, step in reading]
    problems = Problems(f'point files of {", ".join(scenes.place for scenes in checked)}',
                        'A file holds float32 values, as many a point as load_dim of LoadPointsFromFile says. Copy or '
                        'prepare these scenes again.')
    for scenes in checked:
        for file, _ in scenes.files:
            if problems.check_file(file) and file.stat().st_size % scenes.point_bytes:
                problems.add('short', file, f'{file.stat().st_size} bytes, no multiple of {scenes.point_bytes}')
        for mask, file in _masks(scenes):
            if problems.check_file(mask) and (why := _mask_problem(mask, file, scenes.point_bytes)):
                problems.add('short', mask, why)
    problems.raise_any()
    warn_of_caps(checked)
    warn_of_frames(checked)


def _masks(scenes: Scenes) -> Iterator[tuple[Path, Path]]:
    """Each mask that the pipeline loads, and the file of its points."""
    loaded = [key for step in scenes.dataset.pipeline if step_name(step).endswith('LoadAnnotations3D')
              for option, key in _MASKS.items() if step.get(option)]
    for key in loaded:
        folder = Path(scenes.dataset.get('data_root') or '', _prefix(scenes.dataset).get(key, ''))
        for file, entry in scenes.files:
            if entry.get(f'{key}_path') and file.is_file() and file.stat().st_size:
                yield folder / entry[f'{key}_path'], file


def _mask_problem(mask: Path, file: Path, point_bytes: int) -> str | None:
    """Why a mask does not fit its point file; None if it does."""
    there, points = mask.stat().st_size, file.stat().st_size // point_bytes
    if there == _MASK_BYTES * points:
        return None
    told = f'{there} bytes, {_MASK_BYTES} for each of {points} points needed'
    columns = file.stat().st_size * _MASK_BYTES / (4 * there) if there else 0
    if columns in range(3, 10) and 4 * columns != point_bytes:
        told += (f'; it fits if points of {file.name} have {columns:.0f} columns (x, y, z without colour are 3), and '
                 f'load_dim is {point_bytes // 4}')
    return told


def _is_local(dataset: ConfigDict) -> bool:
    return str(dataset.get('ann_file') or '').endswith(PICKLES) and dataset.get('backend_args') is None


def _reads_local_scenes(dataset: ConfigDict, step: ConfigDict) -> bool:
    return (step_name(step) == 'LoadPointsFromFile' and step.get('backend_args') is None
            and dataset.get('indices') is None and _is_local(dataset))


def _entries(dataset: ConfigDict) -> list[dict]:
    """The entries of an annotation file, whose file names must stay in the data set's folder."""
    path = annotation_file(dataset)
    content = read_annotations(path)
    entries = content.get('data_list', []) if isinstance(content, dict) else []
    if isinstance(content, dict) and content.get('data_list') == []:
        raise UserError(f'{str(path)!r} lists no scene. Prepare the data again with scenes of this split, or point '
                        'ann_file to another.')
    for name in _names(entries):
        inside(path.parent, name)
    return entries


def _names(value) -> Iterator[str]:
    """All file names in nested annotations: the entries whose keys end in ``_path``."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, str):
            if each and str(key).endswith('_path'):
                yield each
        elif isinstance(each, dict) or isinstance(each, (list, tuple)) and each and isinstance(each[0], dict):
            yield from _names(each)


def _point_files(dataset: ConfigDict, entries: Sequence[dict]) -> list[tuple[Path, dict]]:
    """The file of each scene with its entry."""
    folder = Path(dataset.get('data_root') or '', _prefix(dataset).get('pts', ''))
    return [(folder / entry['lidar_points']['lidar_path'], entry) for entry in entries
            if entry.get('lidar_points', {}).get('lidar_path')]


def _prefix(dataset: ConfigDict) -> dict:
    """``data_prefix``, the data set's default if the config does not give it."""
    if dataset.get('data_prefix') is not None:
        return dataset.data_prefix
    option = option_of(class_of(DATASETS, dataset), 'data_prefix')
    return option.default if option is not None and isinstance(option.default, dict) else {}
