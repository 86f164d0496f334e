"""Your own shapes: a folder of point clouds and meshes."""
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import read_json, write_json
from mmdet3d.registry import DATASETS

from .io.clouds import SUFFIXES, read_cloud
from .io.point_cache import PointCache
from .io.problems import Problems
from .shape_dataset import ShapeDataset, cache_digest

_SPLIT_FOLDERS = dict(train='train', val='val', valid='val', validation='val', test='test')


@DATASETS.register_module()
class M2AEFolder(ShapeDataset):
    """Every ``.npy .npz .txt .xyz .ply .pcd .off .obj .stl .glb .las .laz`` file under a folder.

    The first folder below ``data_root`` is the class, if it holds files with
    these suffixes; files beside it have none and serve pre-training. Two or
    all of the folders ``train``, ``val`` (``valid``, ``validation``) and
    ``test`` directly below ``data_root`` are the splits, with the classes
    inside. Files that give no points are skipped, or end the run, as
    ``on_bad`` says; :attr:`skipped` and the log say which and why. Hidden
    files and folders (``.git``) are not looked at.

    Args:
        data_root: The folder.
        split: ``'all'``, ``'train'``, ``'val'`` or ``'test'``, or a list of
            them; ``'val'`` and ``'test'`` are the same unless there are folders for both.
        mesh_points: Points to draw from a mesh, uniformly by area.
        min_points: Skip clouds with fewer points.
        test_share: Without folders for the splits, the share of files that
            make up the test split, chosen by a hash of their names.
        classes: Names of the classes in the order of their labels; None
            numbers the folders found by name. Data sets in different folders
            need the same list to give a label the same meaning.
        on_bad: What to do with a file that gives no points: ``'skip'`` or ``'raise'``.
        cache_dir: As in :class:`ShapeDataset`; without it everything is read
            into memory. The cache is made anew when files change.
        kwargs: Options of :class:`ShapeDataset`.
    """

    SPLITS = ('all', 'train', 'val', 'test')
    LAYOUT = f'Expected files ending in {" ".join(SUFFIXES)}, in one folder a class or directly in the folder.'

    def __init__(self,
                 data_root: str,
                 split: str | Sequence[str] = 'all',
                 mesh_points: int = 8192,
                 min_points: int = 32,
                 test_share: float = 0.2,
                 classes: Sequence[str] | None = None,
                 on_bad: str = 'skip',
                 cache_dir: str | None = None,
                 **kwargs) -> None:
        self.mesh_points = mesh_points
        self.min_points = min_points
        self.test_share = test_share
        self.classes = None if classes is None else check_class_names(classes, 'classes')
        if on_bad not in ('skip', 'raise'):
            raise UserError(f"on_bad is 'skip' or 'raise', got {on_bad!r}.")
        if not 0 <= test_share <= 1 or mesh_points < 1:
            raise UserError(f'test_share is a share from 0 to 1 and mesh_points at least 1, got {test_share} and '
                            f'{mesh_points}.')
        self.on_bad = on_bad
        self.skipped: list[tuple[str, str]] = []
        self._folder_cache = cache_dir
        self._clouds: Sequence[np.ndarray] | PointCache = []
        super().__init__(data_root, split, **kwargs)

    def list_shapes(self, problems: Problems) -> list[dict]:
        """Read every file of the splits; from the cache where nothing changed."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(f'M2AEFolder: there is no folder {str(root)!r}. {self.LAYOUT}')
        names = _visible_files(root)
        folders = _split_folders(root, names, self.splits)
        classes = self._check_classes(_classes_of(names, folders))
        self._metainfo['classes'] = classes
        splits = self._wanted(names, folders)
        if any(map(_is_shape, names)) and not any(map(_is_shape, splits)):
            raise ValueError(self._empty(folders))
        kept = self._read(list(splits))
        self._report(len(kept))
        numbers = {name: label for label, name in enumerate(classes)}
        labels = [numbers.get(_class_of(name, folders), -1) for name in kept]
        if folders and classes and -1 in labels:
            print_log(f'M2AEFolder: {labels.count(-1)} shapes in {self.data_root!r} have no class, the first is '
                      f'{kept[labels.index(-1)]!r}: its splits are the folders {", ".join(folders)}.', 'current')
        return [dict(name=name, split=splits[name], gt_label=label) for name, label in zip(kept, labels)]

    def cloud(self, info: dict) -> np.ndarray:
        """``(N, 3)`` float32."""
        return np.asarray(self._clouds[info['row']], np.float32)

    def _check_classes(self, found: tuple[str, ...]) -> tuple[str, ...]:
        if self.classes is None:
            return found
        unknown = [name for name in found if name not in self.classes]
        if unknown:
            raise ValueError(f'M2AEFolder: {self.data_root!r} has the folders {", ".join(unknown)}, which are not '
                             f'among classes={list(self.classes)}. Add them to classes, or move them away.')
        return tuple(self.classes)

    def _wanted(self, names: list[str], folders: dict[str, str]) -> dict[str, str]:
        """Files of :attr:`splits`, each with its split (``'all'`` beside folders for the splits)."""
        both = 'val' in folders.values()
        wanted = {'test' if split == 'val' and not both else split for split in self.splits}
        found = {name: self._split_of(name, folders) for name in names}
        return {name: split for name, split in found.items() if 'all' in wanted or split in wanted}

    def _split_of(self, name: str, folders: dict[str, str]) -> str:
        if folders:
            return folders.get(name.split('/')[0], 'all')
        draw = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
        return 'test' if draw < self.test_share else 'train'

    def _empty(self, folders: dict[str, str]) -> str:
        start = f'M2AEFolder: {self.data_root!r} holds shapes, but none for split={", ".join(self.splits)}.'
        if folders:
            return f'{start} Its splits are the folders {", ".join(folders)}: fill them or set another split.'
        return (f'{start} A hash of its name puts each file into test with the chance test_share={self.test_share}, '
                'else into train. Set another test_share, or sort the files into folders train/ and test/.')

    def _readable(self, names: list[str], kept: list[str]) -> Iterator[np.ndarray]:
        """Clouds of the files that can be read; their names go to ``kept``, others to :attr:`skipped`."""
        for name in names:
            try:
                cloud = read_cloud(Path(self.data_root) / name, self.mesh_points, name=name, remarks=self.remarks)
                if len(cloud) < self.min_points:
                    raise UserError(f'{len(cloud)} points, fewer than min_points={self.min_points}')
            except (ValueError, OSError) as error:
                if self.on_bad == 'raise' and Path(name).suffix.lower() in SUFFIXES:
                    raise UserError(f'M2AEFolder: {name} in {self.data_root!r}: {reason(error).rstrip(".")}. '
                                    'Take it away, or skip '
                                    "such files with on_bad='skip'.") from error
                self.skipped.append((name, reason(error)))
                continue
            kept.append(name)
            yield cloud

    def _read(self, names: list[str]) -> list[str]:
        """Names of the files that could be read; all from the cache where nothing changed."""
        if not self._folder_cache:
            kept: list[str] = []
            self._clouds = list(self._readable(names, kept))
            return kept
        options = dict(mesh_points=self.mesh_points, min_points=self.min_points)
        digest = cache_digest(self.data_root, options, [(name, Path(self.data_root) / name) for name in names])
        cache = PointCache(Path(self._folder_cache) / f'M2AEFolder_{digest}')
        summary = Path(self._folder_cache) / f'M2AEFolder_{digest}.json'
        content = _summary(summary)
        if content is None or cache.length() != len(content['kept']):
            kept, self.skipped = [], []
            cache.write(self._readable(names, kept))
            remarks = dict(dropped=self.remarks.dropped, coarse=self.remarks.coarse)
            content = dict(kept=kept, skipped=self.skipped, **remarks)
            write_json(summary, content)
        self.skipped = [tuple(entry) for entry in content['skipped']]
        self.remarks.dropped, self.remarks.coarse = content['dropped'], content['coarse']
        self._clouds = cache
        return content['kept']

    def _report(self, kept: int) -> None:
        self.remarks.say()
        if self.skipped:
            lines = [f'M2AEFolder: {kept} shapes in {self.data_root!r}, {len(self.skipped)} files skipped:']
            print_log('\n'.join(lines + [f'  {name}: {reason}' for name, reason in self.skipped]), 'current')


def _summary(path: Path) -> dict | None:
    """What is noted beside a cache; None if that is not there, or damaged."""
    try:
        content = read_json(path, dict)
    except ValueError:
        return None
    kinds = dict(kept=list, skipped=list, dropped=dict, coarse=list)
    return content if all(isinstance(content.get(key), kind) for key, kind in kinds.items()) else None


def folder_classes(root: str | Path) -> tuple[str, ...]:
    """The classes that :class:`M2AEFolder` finds under ``root``, in the order of their labels."""
    names = _visible_files(Path(root))
    return _classes_of(names, _split_folders(Path(root), names))


def _visible_files(root: Path) -> list[str]:
    """Names relative to ``root`` of all files, without hidden ones and what hidden folders hold."""
    names = (path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file())
    return sorted(name for name in names if not any(part.startswith('.') for part in name.split('/')))


def _is_shape(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _split_folders(root: Path, names: list[str], splits: Sequence[str] = ('all', )) -> dict[str, str]:
    """Folders directly below ``root`` that are splits, each with its split; none if the folders are classes.

    Without one of ``val`` and ``test``, the split of the other is ``'test'``.

    Raises:
        ValueError: If there is a split alone, and others than all of its shapes are wanted.
    """
    parents = [name.split('/')[:-1] for name in names if _is_shape(name) and '/' in name]
    tops = {parent[0] for parent in parents}
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name.lower() in _SPLIT_FOLDERS)
    if tops.isdisjoint(folders):  # what they hold are no shapes
        return {}
    found = {folder: _SPLIT_FOLDERS[folder.lower()] for folder in folders}
    if {'val', 'test'} <= set(found.values()):
        return found
    if len(set(found.values())) == 2:
        return {folder: 'train' if split == 'train' else 'test' for folder, split in found.items()}
    for folder in found:
        # There are classes called train. They have neighbours, and no folders inside but what these have, too.
        inside, outside = ({parent[1] for parent in parents if len(parent) > 1 and (parent[0] == folder) == own}
                           for own in (True, False))
        alone = tops == {folder}
        if (alone and 'all' not in splits) or (inside and (alone or not outside or inside & outside)):
            raise ValueError(f'M2AEFolder: {str(root)!r} has the folder {folder}/, but none for another split: two '
                             'of train/, val/ and test/ are needed. Add one, or for the shapes of this one set '
                             f'data_root={(root / folder).as_posix()} and split=all.')
    return {}


def _classes_of(names: list[str], folders: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(set(filter(None, (_class_of(name, folders) for name in names if _is_shape(name))))))


def _class_of(name: str, folders: dict[str, str]) -> str | None:
    parents = name.split('/')[:-1]
    if folders:
        parents = parents[1:] if parents and parents[0] in folders else []
    return parents[0] if parents else None
