"""Says what data is missing before anything is built."""
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict

_SCANNET = '''ScanNetV2 is wanted in mmdet3d's layout: ask its authors for the data, then prepare {root} as mmdet3d's \
documentation describes it, or with our own tool (without mmdet3d's source tree):
      python tools/create_data.py scannet --root /path/to/scannet --splits /path/to/split/lists --out {root}
  - Data elsewhere? Point the config to it:
      --cfg-options {option}=/path/to/scannet/
  - No ScanNet at hand? Compose rooms in the same layout and use them instead:
      python tools/create_rooms.py --out data/rooms --train 400 --val 60
      ... --cfg-options {option}=data/rooms/
  - Just looking? "make demo" runs pre-training, detection and evaluation on such rooms.'''


def check_data(config: Config, loaders: Sequence[str]) -> None:
    """Fail with one message if annotation files of the config's data sets are missing.

    Args:
        config: A full config.
        loaders: Names of the data loaders about to be used, e.g.
            ``('train_dataloader', 'val_dataloader')``.

    Raises:
        FileNotFoundError: Naming the first missing file and how to get it.
    """
    for loader in loaders:
        if not config.get(loader):
            continue
        for path, dataset in _datasets(config[loader].dataset, f'{loader}.dataset'):
            annotation = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
            if dataset.get('ann_file') and not annotation.is_file():
                raise FileNotFoundError(_message(annotation, path, dataset))


def _datasets(dataset: ConfigDict, path: str) -> Iterator[tuple[str, ConfigDict]]:
    """Innermost data sets with their place in the config."""
    inner = dataset.get('dataset')
    if inner is not None:
        yield from _datasets(inner, f'{path}.dataset')
    elif 'datasets' in dataset:
        for i, each in enumerate(dataset.datasets):
            yield from _datasets(each, f'{path}.datasets.{i}')
    else:
        yield path, dataset


def _message(annotation: Path, path: str, dataset: ConfigDict) -> str:
    text = f'{dataset.type} needs {str(annotation)!r}, which does not exist.'
    if 'ScanNet' in str(dataset.type):
        return text + ' ' + _SCANNET.format(root=dataset.data_root, option=f'{path}.data_root')
    return text + f' Set {path}.data_root to the folder that holds {dataset.ann_file!r}.'
