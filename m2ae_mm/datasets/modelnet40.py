"""ModelNet40 in the two layouts of the field: resampled text files and HDF5."""
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.errors import UserError, reading
from m2ae_mm.files import inside
from m2ae_mm.ops import furthest_point_sample
from mmdet3d.registry import DATASETS

from .io.clouds import read_columns
from .io.h5 import read_h5
from .io.pickles import read_pickle
from .io.problems import Problems
from .shape_dataset import LoadedShapeDataset, ShapeDataset, check_cloud, read_lines, whole_labels


@DATASETS.register_module()
class M2AEModelNet40(ShapeDataset):
    """ModelNet40, resampled with normals: 9,843 training and 2,468 test shapes.

    Reads the pickle cache ``modelnet40_{split}_8192pts_fps.dat`` (8,192 points
    a shape, by furthest point sampling) where it is, and the text files
    (10,000 points) otherwise. Give a ``cache_dir`` to parse the text only
    once.

    Args:
        data_root: Folder ``modelnet40_normal_resampled``.
        split: ``'train'``, ``'test'`` or both.
        num_points: Points to keep of a text file, by furthest point sampling
            as in the pickle cache; None keeps all.
        kwargs: Options of :class:`ShapeDataset`.
    """

    LAYOUT = ('Expected modelnet40_shape_names.txt, and either modelnet40_{train,test}_8192pts_fps.dat or '
              'modelnet40_{train,test}.txt with <class>/<id>.txt (10,000 lines x,y,z,nx,ny,nz).')
    READ_OPTIONS = ('num_points', )

    def __init__(self, data_root: str, split: str | Sequence[str] = 'train', num_points: int | None = None,
                 **kwargs) -> None:
        self.num_points = num_points
        self._clouds: list[np.ndarray] = []
        super().__init__(data_root, split, **kwargs)

    def list_shapes(self, problems: Problems) -> list[dict]:
        """Shapes of the pickle caches and of the text files of splits without one."""
        root = Path(self.data_root)
        classes = read_lines(root / 'modelnet40_shape_names.txt', problems)
        self._metainfo['classes'] = tuple(classes)
        shapes: list[dict] = []
        for split in self.splits:
            pickled = root / f'modelnet40_{split}_8192pts_fps.dat'
            if pickled.is_file():
                shapes += self._from_pickle(pickled, split)
            else:
                shapes += self._from_text(split, classes, problems)
        if self._clouds:
            self.remarks.say()
            self.cache_dir = None  # they are in memory already
        return shapes

    def _from_pickle(self, path: Path, split: str) -> list[dict]:
        first = len(self._clouds)
        with reading(path, 'as a list of point arrays and a list of as many labels'):
            clouds, labels = read_pickle(path)
            labels = whole_labels(labels, path)
            if len(clouds) != len(labels):
                raise UserError(f'{path}: {len(clouds)} clouds and {len(labels)} labels')
            self._clouds += [self.local(check_cloud(np.asarray(points), path)[:, :3].copy(), f'{path.stem}/{i}')
                             for i, points in enumerate(clouds)]
        return [dict(name=f'{path.stem}/{i}', loaded=first + i, gt_label=label, split=split)
                for i, label in enumerate(labels)]

    def _from_text(self, split: str, classes: list[str], problems: Problems) -> list[dict]:
        root, shapes = Path(self.data_root), []
        for name in read_lines(root / f'modelnet40_{split}.txt', problems):
            category = name.rpartition('_')[0]
            path = inside(root, f'{category}/{name}.txt')
            problems.check_file(path)
            if category not in classes:
                problems.add('unreadable', path, f'class {category!r} is not in modelnet40_shape_names.txt')
                continue
            shapes.append(dict(name=name, path=str(path), gt_label=classes.index(category), split=split))
        return shapes

    def read(self, info: dict) -> np.ndarray:
        """``(8192, 3)`` from the pickle or ``(10000 or num_points, 3)`` from text."""
        if 'path' not in info:
            return self._clouds[info['loaded']]
        points = self.local(check_cloud(read_columns(info['path']), info['path'])[:, :3], info['name'])
        if self.num_points is None or self.num_points >= len(points):
            return points
        import torch
        return points[furthest_point_sample(torch.from_numpy(points)[None], self.num_points)[0].numpy()]


@DATASETS.register_module()
class M2AEModelNet40H5(LoadedShapeDataset):
    """ModelNet40 as HDF5, 2,048 points a shape; the linear probe uses the first 1,024.

    Args:
        data_root: Folder ``modelnet40_ply_hdf5_2048``.
        split: ``'train'``, ``'test'`` or both.
        kwargs: Options of :class:`ShapeDataset`.
    """

    LAYOUT = ('Expected ply_data_train*.h5 and ply_data_test*.h5 with the arrays data (n, 2048, 3) and label (n, 1), '
              'and optionally shape_names.txt.')

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """All files of the splits, in the order of their names."""
        root = Path(self.data_root)
        if (root / 'shape_names.txt').is_file():
            self._metainfo['classes'] = tuple(read_lines(root / 'shape_names.txt', problems))
        for split in self.splits:
            paths = sorted(root.glob(f'ply_data_{split}*.h5'))
            if not paths:
                problems.checked += 1
                problems.add('missing', root / f'ply_data_{split}*.h5')
            for path in paths:
                add_h5(path, split, problems, add)


def add_h5(path: Path, split: str, problems: Problems, add: Callable) -> None:
    """Add every shape of ``split`` in an HDF5 file with ``data`` (n, N, 3) and ``label`` (n,) or (n, 1)."""
    if not problems.check_file(path):
        return
    try:
        data, label = read_h5(path)
        if data.ndim != 3 or data.shape[2] < 3 or len(data) != label.size:
            raise ValueError(f'expected data (n, N, 3) and n labels, found {data.shape} and {label.shape}')
        check_cloud(data.reshape(-1, data.shape[2]), path)
        labels = whole_labels(label.reshape(-1), path)
    except ValueError as error:
        problems.add('unreadable', path, str(error))
        return
    for i, (points, number) in enumerate(zip(data, labels)):
        add(points, name=f'{path.stem}/{i}', gt_label=number, split=split)
