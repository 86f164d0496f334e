"""Says which point files of scenes are missing or cut short."""
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import ConfigDict

from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.datasets.io.problems import Problems
from mmdet3d.registry import DATASETS

_FLOAT_BYTES = 4


def check_scenes(datasets: Sequence[tuple[str, ConfigDict]]) -> None:
    """Fail if an annotation file names no scene, or a point file that is not there or does not hold whole points.

    Looks at mmdet3d's data sets that read such files from this machine; those
    with ``indices``, for which part of the scenes is enough, are left out, and
    annotation files that hold more than arrays and plain values. Sizes are
    compared, no file is read.

    Args:
        datasets: Data sets with their places in the config; their annotation files exist.

    Raises:
        FileNotFoundError: If files are missing, with the first names.
        ValueError: If all are there and some are cut short, or there is none.
    """
    checked = [(path, dataset, step) for path, dataset in datasets for step in dataset.get('pipeline') or ()
               if _reads_local_scenes(dataset, step)]
    problems = Problems(f'point files of {", ".join(path for path, _, _ in checked)}',
                        'A file holds float32 values, as many a point as load_dim of LoadPointsFromFile says. Copy or '
                        'prepare these scenes again.')
    for _, dataset, step in checked:
        point_bytes = _FLOAT_BYTES * step.get('load_dim', 6)
        for file in _point_files(dataset):
            if problems.check_file(file) and file.stat().st_size % point_bytes:
                problems.add('short', file, f'{file.stat().st_size} bytes, no multiple of {point_bytes}')
    problems.raise_any()


def _reads_local_scenes(dataset: ConfigDict, step: ConfigDict) -> bool:
    name = str(step.get('type')).rpartition('.')[2]
    return (name == 'LoadPointsFromFile' and step.get('backend_args') is None and dataset.get('indices') is None
            and str(dataset.get('ann_file') or '').endswith('.pkl'))


def _point_files(dataset: ConfigDict) -> Iterator[Path]:
    root = Path(dataset.get('data_root') or '')
    try:
        content = read_pickle(root / dataset.ann_file)
    except ValueError:  # mmdet3d reads it in a way of its own
        return
    entries = content.get('data_list', ()) if isinstance(content, dict) else ()
    if isinstance(content, dict) and content.get('data_list') == []:
        raise ValueError(f'{str(root / dataset.ann_file)!r} lists no scene. Prepare the data again with scenes of this '
                         'split, or point ann_file to another.')
    folder = root / _prefix(dataset).get('pts', '')
    for entry in entries:
        if entry.get('lidar_points', {}).get('lidar_path'):
            yield folder / entry['lidar_points']['lidar_path']


def _prefix(dataset: ConfigDict) -> dict:
    """``data_prefix``, the data set's default if the config does not give it."""
    if dataset.get('data_prefix') is not None:
        return dataset.data_prefix
    kind = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    # A derived data set may pass the option on without naming it.
    options = (inspect.signature(each.__init__).parameters.get('data_prefix') for each in getattr(kind, '__mro__', ()))
    option = next((each for each in options if each is not None), None)
    return option.default if option is not None and isinstance(option.default, dict) else {}
