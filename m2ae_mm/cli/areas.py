"""Leave one area out: a training for each annotation file of a config, tested on it, and the score of all together."""
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from .run_settings import claim_folder, settings_of
from .several import read_table, run_config, run_missing, train_or_validate, validate_last

_EXAMPLE = 'configs/m2ae/s3dis_seg.py has such data sets'


def train_areas(config, chosen: Sequence[str] = ()) -> None:
    """Train once for each area, or only the chosen ones, on all others, and print the scores of each and of all.

    The field's six-fold score of S3DIS: the confusion matrices of all tests
    are added, then IoU and accuracy are computed. Areas in the table of the
    work folder are not trained again, those that were begun continue where
    they stopped. Several machines that share the folder may each train some.

    Raises:
        UserError: If the config has no areas, does not validate with ``M2AESegMetric``, or has no area of that name;
            for a folder with results of other settings.
    """
    from mmengine.dist import is_main_process

    from m2ae_mm.evaluation import seg_metric
    areas, classes = areas_of(config), _classes(config)
    unknown = [name for name in chosen if name not in areas]
    if unknown:
        raise UserError(f'--areas names {", ".join(unknown)}, and the config has {", ".join(areas)}.')
    folder = Path(config.work_dir)
    claim_folder(folder, settings_of(config), 'area*')  # the table and folders of areas

    def check(name: str, matrix: list[list[int]]) -> list[list[int]]:
        found = np.array(matrix)
        if found.shape != (len(classes), ) * 2 or not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
            raise UserError(f'area {name} has no {len(classes)} x {len(classes)} numbers of points')
        return matrix

    def run(name: str) -> list[list[int]]:
        runner = train_or_validate(area_config(config, areas, name))
        matrix = next(each.confusion for each in runner.val_loop.evaluator.metrics
                      if isinstance(each, seg_metric.M2AESegMetric))
        return [] if matrix is None else matrix.tolist()  # in the first process it is not None

    run_missing(folder / 'areas.json', list(dict.fromkeys(chosen)) or list(areas), run, check)
    if is_main_process():
        done = read_table(folder / 'areas.json', check)
        print(summary({name: np.array(done[name]) for name in areas if name in done}, classes, len(areas)))


def areas_of(config) -> dict[str, tuple[str, str | None]]:
    """Annotation file and file of chosen scenes of each area, which is named after what differs in the files' names.

    Raises:
        UserError: If the config does not name several annotation files.
    """
    train, val = (config[loader].dataset for loader in ('train_dataloader', 'val_dataloader'))
    files = {}
    for path, dataset in (('train_dataloader.dataset', train), ('val_dataloader.dataset', val)):
        if not dataset.get('ann_files'):
            raise UserError(f'--areas needs a data set that reads several annotation files, {path}.ann_files; '
                            f'{_EXAMPLE}.')
        names = [dataset.ann_files] if isinstance(dataset.ann_files, str) else list(dataset.ann_files)
        scenes = dataset.get('scene_idxs')
        scenes = list(scenes) if isinstance(scenes, (list, tuple)) else [scenes] * len(names)
        if len(scenes) != len(names):
            raise UserError(f'{path} has {len(names)} ann_files and {len(scenes)} scene_idxs; one for each is needed.')
        files.update(zip(names, scenes))
    if len(files) < 2:
        raise UserError(f'--areas trains on all areas but one, and the config has only {", ".join(files)}.')
    stems = {file: Path(file).stem for file in files}
    common = os.path.commonprefix(list(stems.values())).rpartition('_')
    start = len(common[0] + common[1])
    areas = dict(sorted((stem[start:], (file, files[file])) for file, stem in stems.items()))
    if len(areas) < len(files):
        raise UserError(f'--areas names an area by its file, and several of {", ".join(files)} have the same name. '
                        'Rename them.')
    return areas


def area_config(config, areas: Mapping[str, tuple[str, str | None]], name: str):
    """The config of the training that leaves one area out; it resumes if it was begun."""
    config = run_config(config, f'area_{name}')
    others = [files for other, files in areas.items() if other != name]
    config.train_dataloader.dataset.update(ann_files=[file for file, _ in others],
                                           scene_idxs=[scenes for _, scenes in others])
    for loader in ('val_dataloader', 'test_dataloader'):
        if config.get(loader):
            config[loader].dataset.update(ann_files=areas[name][0], scene_idxs=areas[name][1])
    validate_last(config)
    return config


def summary(confusions: Mapping[str, np.ndarray], classes: Sequence[str], count: int) -> str:
    """A line for each area that is done, and the table of them together; ``count`` is the number of all areas."""
    from m2ae_mm.evaluation.seg_metric import figures, line, table
    lines = [f'area {name}: {line(figures(matrix, classes))}' for name, matrix in confusions.items()]
    of_all = '' if len(confusions) == count else f' of {count}'
    return '\n'.join([*lines, f'\n{len(confusions)}{of_all} areas together:',
                      table(sum(confusions.values()), classes)])


def _classes(config) -> Sequence[str]:
    from m2ae_mm.engine.config_parts import class_of
    from m2ae_mm.evaluation import M2AESegMetric
    from mmdet3d.registry import DATASETS, METRICS
    metrics = config.get('val_evaluator') or []
    kinds = [class_of(METRICS, each) for each in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]
    if not any(isinstance(kind, type) and issubclass(kind, M2AESegMetric) for kind in kinds):
        raise UserError("--areas needs val_evaluator=dict(type='M2AESegMetric'), which adds the areas up, got "
                        f'{metrics!r}.')
    dataset = config.val_dataloader.dataset
    return (dataset.get('metainfo') or {}).get('classes') or class_of(DATASETS, dataset).METAINFO['classes']
