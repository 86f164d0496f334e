"""Packs of shapes in one ``.npz`` file each."""
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import reading, reason
from m2ae_mm.files import load_arrays, read_json
from mmdet3d.registry import DATASETS

from .io.grid_points import from_steps
from .io.problems import Problems
from .shape_dataset import LoadedShapeDataset

SHIPPED_SHAPES = Path(__file__).resolve().parent.parent / 'assets' / 'free_shapes'
_SPLITS = ('train', 'test')


@DATASETS.register_module()
class M2AEShapesNpz(LoadedShapeDataset):
    """Shapes of ``.npz`` packs: ``points`` (n, N, 3), ``label`` (n,), ``split`` (n,) 0 train, 1 test, ``name`` (n,).

    ``label`` (-1 = no class), ``split`` (absent: all train; other numbers are
    in no split) and ``name`` may be absent, and be (n, 1). With several files, the labels of each come
    after those of the files before. In place of ``points``, a pack may have ``steps`` (4, n, N) of uint8, see
    :func:`m2ae_mm.datasets.io.grid_points.to_steps`.

    Args:
        data_root: Folder of the packs.
        split: ``'train'``, ``'test'`` or both.
        files: Names of the packs.
        label_key: Array with the labels, e.g. ``'label_coarse'``.
        labelled_only: Leave out shapes without a class.
        kwargs: Options of :class:`ShapeDataset`.
    """

    LAYOUT = 'Expected .npz files with the array points (n, N, 3) and, for classification, label (n,) and split (n,).'

    def __init__(self,
                 data_root: str,
                 split: str | Sequence[str] = 'train',
                 files: Sequence[str] = (),
                 label_key: str = 'label',
                 labelled_only: bool = False,
                 **kwargs) -> None:
        self.files = [files] if isinstance(files, str) else list(files)
        self.label_key = label_key
        self.labelled_only = labelled_only
        super().__init__(data_root, split, **kwargs)

    def label_offset(self, labels: np.ndarray) -> int:
        """How far the labels of the next pack are moved on after one with ``labels`` (n,)."""
        return max(labels.tolist(), default=-1) + 1

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """The shapes of the wanted splits, in the order of the files."""
        offset = 0
        for name in self.files:
            path = Path(self.data_root) / name
            pack = load_pack(path, problems, per_shape=(self.label_key, 'split', 'name'))
            if pack is None:
                continue
            points = pack['points']
            labels = pack.get(self.label_key, np.full(len(points), -1))
            if self.labelled_only and self.label_key not in pack:
                raise ValueError(f'{path} has no array {self.label_key!r}; it has {", ".join(pack)}.')
            names = pack.get('name', np.arange(len(points)))
            splits = split_numbers(pack)
            keep = in_splits(pack, self.splits) & ((labels >= 0) | (not self.labelled_only))
            for i in keep.nonzero()[0]:
                label = int(labels[i])
                add(points[i], name=f'{path.stem}/{names[i]}', gt_label=label + offset if label >= 0 else -1,
                    split=_SPLITS[splits[i]])
            offset += self.label_offset(labels)


@DATASETS.register_module()
class M2AEFreeShapes(M2AEShapesNpz):
    """Packs that share one list of classes; by default the CC0 shapes that come with the package.

    Those are 30 classes of up to 40 shapes of 1,024 points, and training shapes without a class for pre-training.

    Args:
        data_root: Folder with packs of your own, or the whole of free_shapes; None for the shapes of the package.
        split: ``'train'``, ``'test'`` or both.
        files: Names of the packs; all ``.npz`` files of the folder by default.
        kwargs: Options of :class:`M2AEShapesNpz`.

    The names of the classes come from ``classes.json`` beside the packs, a list of names under ``"classes"`` in the
    order of the labels. Without it, classes have numbers.
    """

    LAYOUT = ('Expected .npz files with the arrays points (n, N, 3), label (n,) and split (n,), numbered alike in all '
              'of them, and the names of the classes in classes.json: {"classes": [...]}.')

    def __init__(self,
                 data_root: str | None = None,
                 split: str | Sequence[str] = 'train',
                 files: Sequence[str] = (),
                 **kwargs) -> None:
        root = Path(data_root or SHIPPED_SHAPES)
        super().__init__(str(root), split, files or sorted(path.name for path in root.glob('*.npz')), **kwargs)

    def label_offset(self, labels: np.ndarray) -> int:
        """None: all packs number their classes alike."""
        return 0

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """The shapes of the wanted splits and the names of their classes."""
        root, names = Path(self.data_root), None
        if not self.files:
            problems.checked += 1
            problems.add('missing', root / '*.npz')
        if (root / 'classes.json').is_file():
            names = check_class_names(read_json(root / 'classes.json', dict).get('classes'), root / 'classes.json')
            self._metainfo.setdefault('classes', names)

        def add_named(cloud: np.ndarray, name: str, gt_label: int, **info) -> None:
            if names is not None and gt_label >= len(names):
                problems.add('unreadable', name, f'the label {gt_label}, and classes.json names {len(names)} classes')
            else:
                add(cloud, name=name, gt_label=gt_label, **info)

        super().load_shapes(problems, add_named)


@DATASETS.register_module()
class M2AEPartsNpz(LoadedShapeDataset):
    """Shapes with part labels in one pack: ``points``, ``category`` (n,), ``part`` (n, N), ``split`` (n,), ``name``.

    A ``categories.json`` beside the pack lists the part labels of every
    category, in the order of their numbers.

    Args:
        data_root: Folder of the pack.
        split: ``'train'``, ``'test'`` (1 in ``split``) or both.
        file: Name of the pack.
        kwargs: Options of :class:`ShapeDataset`.
    """

    HAS_PARTS = True
    LAYOUT = ('Expected an .npz file with points (n, N, 3), category (n,), part (n, N), split (n,), and '
              'categories.json: category -> part labels.')

    def __init__(self,
                 data_root: str,
                 split: str | Sequence[str] = 'train',
                 file: str = 'labeled_parts.npz',
                 **kwargs) -> None:
        self.file = file
        super().__init__(data_root, split, **kwargs)

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """The shapes of the wanted splits with their part labels as a fourth column."""
        listed = Path(self.data_root) / 'categories.json'
        pack = load_pack(Path(self.data_root) / self.file, problems, ('points', 'category', 'part'),
                         per_shape=('category', 'part', 'split', 'name'))
        if not problems.check_file(listed) or pack is None:
            return
        with reading(listed, 'as a dictionary of part labels by category'):
            parts = {category: tuple(map(int, ids)) for category, ids in read_json(listed, dict).items()}
        kept = in_splits(pack, self.splits)
        try:
            _check_parts(pack['category'][kept], pack['part'][kept], parts)
        except ValueError as error:
            problems.add('unreadable', Path(self.data_root) / self.file, str(error))
            return
        self._metainfo.update(classes=tuple(parts), parts=parts)
        for i in kept.nonzero()[0]:
            cloud = np.column_stack([pack['points'][i].astype(np.float64), pack['part'][i]])
            label = int(pack['category'][i])
            add(cloud, name=str(pack['name'][i]) if 'name' in pack else str(i), gt_label=label,
                category=self._metainfo['classes'][label], split=_SPLITS[split_numbers(pack)[i]])


def load_pack(path: Path, problems: Problems, needed: Sequence[str] = ('points', ),
              per_shape: Sequence[str] = ()) -> dict[str, np.ndarray] | None:
    """The arrays of a pack, or None with the problem noted.

    Args:
        path: The ``.npz`` file.
        problems: Where to note what is wrong with it.
        needed: Arrays that must be there.
        per_shape: Arrays that hold one entry for each shape, ``part`` one for each point, if they are there; whole
            numbers, except for ``name``.
    """
    if not problems.check_file(path):
        return None
    try:
        pack = load_arrays(path)
        if 'steps' in pack and 'points' not in pack:
            pack['points'] = from_steps(pack.pop('steps'))
        absent = [name for name in needed if name not in pack]
        if absent:
            raise ValueError(f'no array {", ".join(absent)}; it has {", ".join(pack)}')
        if pack['points'].ndim != 3 or pack['points'].shape[2] != 3:
            raise ValueError(f'points must be (n, N, 3), found {pack["points"].shape}')
        pack.update({name: _per_shape(name, pack[name], pack['points']) for name in per_shape if name in pack})
        return pack
    except Exception as error:  # a damaged zip file can raise nearly anything
        problems.add('unreadable', path, reason(error))
        return None


def _check_parts(categories: np.ndarray, labels: np.ndarray, parts: dict[str, tuple[int, ...]]) -> None:
    """Every category (n,) must be listed, and the labels (n, N) of its shapes must be of its parts."""
    if not np.isin(categories, np.arange(len(parts))).all():
        raise ValueError(f'category holds {np.unique(categories)[[0, -1]].tolist()} as its least and greatest, and '
                         f'categories.json lists {len(parts)}, numbered from 0: {", ".join(parts)}')
    for number, (category, ids) in enumerate(parts.items()):
        found = np.unique(labels[categories == number])
        if not np.isin(found, ids).all():
            raise ValueError(f'a {category} has the part labels {ids}, found {found.tolist()}')


def _per_shape(name: str, array: np.ndarray, points: np.ndarray) -> np.ndarray:
    expected = points.shape[:2 if name == 'part' else 1]
    if array.shape not in (expected, (*expected, 1)):  # the HDF5 files of the field have labels (n, 1)
        raise ValueError(f'{name} has the shape {array.shape}, the points {points.shape}: {name} must be {expected}')
    if name == 'name':
        return array.reshape(expected)
    if array.dtype.kind not in 'iubf' or not np.array_equal(whole := array.astype(np.int64), array):
        raise ValueError(f'{name} holds {array.dtype}, it must hold whole numbers (int64)')
    return whole.reshape(expected)


def in_splits(pack: dict[str, np.ndarray], splits: Sequence[str]) -> np.ndarray:
    """``(n,)`` bool: which shapes of a pack belong to one of ``splits``."""
    return np.isin(split_numbers(pack), [_SPLITS.index(split) for split in splits])


def split_numbers(pack: dict[str, np.ndarray]) -> np.ndarray:
    """``(n,)``: 0 train, 1 test."""
    return pack.get('split', np.zeros(len(pack['points']), np.uint8))
