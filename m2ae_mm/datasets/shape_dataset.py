"""What all data sets of single shapes have in common."""
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError
from m2ae_mm.files import read_text
from mmdet3d.registry import TRANSFORMS

from .io.local import Remarks, local_cloud
from .io.point_cache import PointCache
from .io.problems import Problems

# Raised whenever the same files give other clouds than before.
_CACHE_VERSION = 2


class ShapeDataset(BaseDataset):
    """Shapes as clouds with at most one label each.

    Points that are NaN or infinite are left out, and a cloud far from the
    origin is moved to one of its own before it becomes float32: see
    :func:`local_cloud`, through which all clouds go. The log says so once.

    The pipeline receives ``points`` (N, 3) float32, ``name``, ``split``,
    ``gt_label`` (int, -1 = none) and ``sample_idx``. Subclasses implement
    :meth:`list_shapes` and :meth:`read`; the check of the files, the cache
    and the pipeline are here.

    Args:
        data_root: Folder of the data set.
        split: Name of the split, or several to be joined.
        cache_dir: Folder for a memory-mapped copy of all clouds, made on
            first use and anew when files or options of reading change
            (earlier copies stay); None reads the original files every time.
        pipeline: Steps from a sample's dictionary to what the model takes.
        place: Of the data set in a config for training, which messages name.
        kwargs: Options of mmengine's ``BaseDataset``, e.g. ``indices``, ``test_mode``.
    """

    SPLITS: tuple[str, ...] = ('train', 'test')
    LAYOUT = ''
    # Whether the fourth column of a cloud is the part label of each point.
    HAS_PARTS = False
    # Attributes that :meth:`read` depends on, beside the file ``path`` of a shape.
    READ_OPTIONS: tuple[str, ...] = ()

    def __init__(self,
                 data_root: str,
                 split: str | Sequence[str] = 'train',
                 cache_dir: str | None = None,
                 pipeline: Sequence[dict | Callable] = (),
                 place: str = 'train_dataloader.dataset',
                 **kwargs) -> None:
        self.splits = (split, ) if isinstance(split, str) else tuple(split)
        unknown = [name for name in self.splits if name not in self.SPLITS]
        if unknown or not self.splits:
            raise ValueError(f'{type(self).__name__} has the splits {", ".join(self.SPLITS)}; got {split!r}.')
        self.place = place
        self.cache_dir = cache_dir
        self.cache: PointCache | None = None
        self.remarks = Remarks(f'{type(self).__name__} in {str(data_root)!r}')
        if 'classes' in (kwargs.get('metainfo') or {}):
            check_class_names(kwargs['metainfo']['classes'], 'metainfo.classes')
        # Built here so that they are found in mmdet3d's registry whatever the default scope is.
        steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        super().__init__(data_root=data_root, pipeline=steps, **kwargs)

    def list_shapes(self, problems: Problems) -> list[dict]:
        """All shapes of :attr:`splits`: ``name``, ``split``, ``gt_label`` and what :meth:`read` needs of each.

        A shape with a file of its own has it as ``path``, so that the cache is made anew when it changes.
        Files that are needed and not there are noted in ``problems``.
        """
        raise NotImplementedError

    def read(self, info: dict) -> np.ndarray:
        """The cloud of one shape, ``(N, C)`` in numbers of any type.

        Raises:
            ValueError: If its file cannot be read or holds something else.
        """
        raise NotImplementedError

    def local(self, points: np.ndarray, name: str) -> np.ndarray:
        """:func:`local_cloud`, whose remarks and errors name the shape."""
        try:
            return local_cloud(points, name, self.remarks)
        except ValueError as error:
            raise ValueError(f'{name} in {str(self.data_root)!r}: {error}') from error

    def load_data_list(self) -> list[dict]:
        """List the shapes, check their files, fill the cache if one is wanted."""
        problems = Problems(f'{type(self).__name__} in {self.data_root!r}', self.LAYOUT, self.place)
        shapes = self.list_shapes(problems)
        problems.raise_any()
        if not shapes:
            raise ValueError(f'{type(self).__name__} in {self.data_root!r} holds no shapes for '
                             f'split={", ".join(self.splits)}. {self.LAYOUT}')
        for row, info in enumerate(shapes):
            info['row'] = row
        if self.cache_dir is not None:
            self._open_cache(shapes, problems)
        return shapes

    def _open_cache(self, shapes: list[dict], problems: Problems) -> None:
        options = {name: getattr(self, name) for name in self.READ_OPTIONS}
        digest = cache_digest(self.data_root, options, [(info['name'], info.get('path')) for info in shapes])
        name = f'{type(self).__name__}_{"-".join(self.splits)}_{digest}'
        cache = PointCache(Path(self.cache_dir) / name)
        if cache.length() != len(shapes):
            print_log(f'{type(self).__name__}: copying {len(shapes)} clouds to {cache.points_path} once', 'current')
            cache.write(self._readable(shapes, problems))
            self.remarks.say()
        self.cache = cache

    def _readable(self, shapes: list[dict], problems: Problems) -> Iterator[np.ndarray]:
        """Every cloud in turn; reports all unreadable files together at the end."""
        problems.checked = len(shapes)
        for info in shapes:
            try:
                yield local_cloud(self.read(info), info['name'], self.remarks)
            except (ValueError, OSError) as error:
                problems.add('unreadable', info['name'], str(error))
        problems.raise_any()

    def cloud(self, info: dict) -> np.ndarray:
        """The cloud of one shape, ``(N, C)`` float32, from the cache if there is one."""
        if self.cache is not None:
            return self.cache[info['row']]
        points = self.local(self.read(info), info['name'])
        self.remarks.say()
        return np.asarray(points, np.float32)

    def prepare_data(self, idx: int) -> dict:
        """One shape through the pipeline; part labels become ``pts_semantic_mask``."""
        info = self.get_data_info(idx)
        cloud = self.cloud(info)
        if self.HAS_PARTS:
            info['pts_semantic_mask'] = cloud[:, 3].astype(np.int64)
        info['points'] = cloud[:, :3]
        return self.pipeline(info)


class LoadedShapeDataset(ShapeDataset):
    """Shapes that come in few large files and stay in memory.

    Subclasses implement :meth:`load_shapes`. Loader processes that are forked
    share the memory, so ``cache_dir`` has no use and no effect.
    """

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """Call ``add(cloud, name=..., split=..., gt_label=...)`` for every shape of :attr:`splits`."""
        raise NotImplementedError

    def list_shapes(self, problems: Problems) -> list[dict]:
        """Load everything."""
        self._clouds: list[np.ndarray] = []
        shapes: list[dict] = []

        def add(cloud: np.ndarray, name: str, **info) -> None:
            try:
                self._clouds.append(local_cloud(cloud, name, self.remarks))
            except ValueError as error:
                problems.add('unreadable', name, str(error))
            else:
                shapes.append(dict(name=name, **info))

        self.load_shapes(problems, add)
        self.remarks.say()
        self.cache_dir = None
        return shapes

    def cloud(self, info: dict) -> np.ndarray:
        """``(N, C)`` float32."""
        return np.asarray(self._clouds[info['row']], np.float32)


def cache_digest(root: str | Path, options: Mapping[str, object],
                 shapes: Iterable[tuple[str, str | Path | None]]) -> str:
    """A digest that changes with the folder, options of reading, names, and size or modification time of the files.

    Args:
        root: Folder of the data set.
        options: What the reading depends on, plain values by name.
        shapes: Name of every shape and its file, None if it has none.
    """
    listed: list = [_CACHE_VERSION, str(Path(root).resolve()), dict(options)]
    for name, path in shapes:
        stat = Path(path).stat() if path is not None else None
        listed.append((name, stat and (stat.st_size, stat.st_mtime_ns)))
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def check_cloud(points: np.ndarray, path: str | Path, columns: int = 3, min_points: int = 1) -> np.ndarray:
    """``points`` as they are if they have at least ``columns`` columns and ``min_points`` rows, ``(N, C)``.

    Raises:
        ValueError: For another shape or fewer points.
    """
    if points.ndim != 2 or points.shape[1] < columns:
        raise ValueError(f'{path}: expected (N, {columns}) points, found shape {points.shape}')
    if len(points) < min_points:
        raise ValueError(f'{path}: expected at least {min_points} points, found {len(points)}')
    return points


def whole_labels(values: Sequence | np.ndarray, path: str | Path) -> list[int]:
    """Labels as a file has them, one number each or an array of one number, as integers from -1 (none) on.

    Raises:
        UserError: If one of them is no whole number, or less.
    """
    labels = np.array([np.asarray(value).item() for value in values])
    with np.errstate(invalid='ignore'):
        if len(labels) and (labels.dtype.kind not in 'biuf' or not np.array_equal(labels.astype(np.int64), labels)
                            or labels.min() < -1):
            wrong = next(value for value in labels.tolist()
                         if not isinstance(value, int | float) or not value >= -1 or value % 1)
            raise UserError(f'{path}: labels must be whole numbers from 0 on, or -1 for none; found {wrong!r}')
    return labels.astype(np.int64).tolist()


def read_lines(path: Path, problems: Problems) -> list[str]:
    """Lines of a text file without blanks; none, and the problem noted, if it is missing or empty."""
    if not problems.check_file(path):
        return []
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
