"""Checks the data of a config before anything is built."""
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict

from m2ae_mm.datasets.io.annotations import restrict_annotations

from .annotation_check import check_annotations
from .class_check import check_classes, check_episodes, check_named_classes
from .config_parts import annotation_file, class_count, datasets_of
from .scene_check import check_scenes
from .seg_check import by_annotation_file, check_masks, check_seg_entries

_SCANNET = '''ScanNetV2 is wanted in mmdet3d's layout: ask its authors for the data, then prepare {root} as mmdet3d's \
documentation describes it, or with our own tool (without mmdet3d's source tree):
      m2ae data scannet --root /path/to/scannet --splits /path/to/split/lists --out {root}
  - Data elsewhere? --data /path/to/scannet
  - No ScanNet at hand? Compose rooms in the same layout and use them instead:
      m2ae rooms --out data/rooms --train 400 --val 60
      ... --data data/rooms
  - Just looking? "make demo" runs pre-training, detection and evaluation on such rooms.'''


def check_data(config: Config, loaders: Sequence[str]) -> None:
    """Fail with one message if files are missing or cut short, or folders of shapes disagree about their classes.

    From here on mmengine reads annotation files without running anything in
    them, see :func:`restrict_annotations`.

    Raises:
        FileNotFoundError: Naming all missing annotation files and how to get them, or the first missing point files.
        UserError: See :func:`check_annotations`, :func:`check_scenes`, :func:`check_seg_entries`, :func:`check_masks`,
            :func:`check_classes`, :func:`check_named_classes` and :func:`check_episodes`.
    """
    restrict_annotations()
    datasets = by_annotation_file(datasets_of(config, loaders))
    missing = [(file, path, dataset) for path, dataset in datasets
               if dataset.get('ann_file') and not (file := annotation_file(dataset)).is_file()]
    if missing:
        raise FileNotFoundError(_message(missing))
    check_annotations(datasets, config.get('model'))
    check_seg_entries(datasets)
    check_scenes(datasets)
    check_masks(datasets)
    num_classes = class_count(config)
    if num_classes is not None:
        trained = datasets_of(config, ['train_dataloader'])
        check_classes(trained, datasets, num_classes)
        check_named_classes(trained, datasets, num_classes)
        check_episodes(datasets, num_classes)


def _message(missing: list[tuple[Path, str, ConfigDict]]) -> str:
    files = ', '.join(repr(str(annotation)) for annotation, _, _ in missing)
    text = f'{missing[0][2].type} needs {files}, which {"does" if len(missing) == 1 else "do"} not exist.'
    if 'ScanNet' in str(missing[0][2].type):
        return text + ' ' + _SCANNET.format(root=missing[0][2].data_root)
    options = ' '.join(f'{path}.data_root=FOLDER' for _, path, _ in missing)
    return f'{text} Say where they are with --data FOLDER, or one by one with --cfg-options {options}.'
