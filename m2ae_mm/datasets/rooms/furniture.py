"""The furniture that comes with the package, and which of it each split may use."""
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

ASSET = Path(__file__).resolve().parents[2] / 'assets' / 'furniture.npz'
CLASSES = ('cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter', 'desk',
           'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub', 'garbagebin')
OTHER = len(CLASSES)
# NYU40 ids of the classes, in the same order: what ScanNet's semantic masks hold.
CLASS_NYU40 = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
NYU40_OTHER_PROP = 40

Split = Literal['train', 'val']
_VAL_SHARE = 0.3


@dataclass(frozen=True)
class Piece:
    """One item ready to be placed.

    The item's box is centred at x = y = 0 and stands on z = 0; its front faces -y.

    Attributes:
        points: (P, 3) surface points in metres.
        normals: (P, 3) unit normals, of either sign.
        glass: (P,) bool, points on transparent material.
        spacing: Typical distance between neighbouring points in metres.
        size: (3,) exact side lengths of the box in metres.
        label: 0..17, or ``OTHER``.
        nyu40: NYU40 id for the semantic mask.
        kind: Finer type, e.g. ``'office chair'``.
        item: Id in ``FURNITURE_CREDITS.tsv``; empty for procedural pieces.
        elevation: Height of the lowest point above the floor, if mounted on a wall.
        top: Height at which things can be put on it, or -1.
    """
    points: np.ndarray
    normals: np.ndarray
    glass: np.ndarray
    spacing: float
    size: np.ndarray
    label: int
    nyu40: int
    kind: str
    item: str = ''
    elevation: float = 0.0
    top: float = -1.0

    def scaled(self, factors: Sequence[float]) -> 'Piece':
        """The piece stretched along its own axes by three positive factors."""
        factors = np.asarray(factors, dtype=np.float64)
        normals = self.normals / factors
        return replace(self, points=self.points * factors, size=self.size * factors,
                       normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
                       spacing=self.spacing * float(factors.max()),
                       top=self.top * float(factors[2]) if self.top > 0 else self.top)

    def resized(self, width: float | None = None, depth: float | None = None, height: float | None = None) -> 'Piece':
        """The piece stretched to the given side lengths in metres; ``None`` keeps a side."""
        target = [side if side is not None else own for side, own in zip((width, depth, height), self.size)]
        return self.scaled(np.array(target) / self.size)


def semantic_id(label: int, nyu40: int) -> int:
    """NYU40 id to write for an item, so that masks and boxes never disagree.

    Items of the 18 classes get their class's id. An item outside them whose
    NYU40 id belongs to a class (a wardrobe is 39, as bins are) would teach a
    detector to vote for an object without a box, so it becomes other prop.
    """
    if label != OTHER:
        return CLASS_NYU40[label]
    return NYU40_OTHER_PROP if nyu40 in CLASS_NYU40 else nyu40


class Furniture:
    """All items, by split.

    Args:
        path: The ``furniture.npz`` asset.

    Raises:
        FileNotFoundError: If the asset is missing.
    """

    def __init__(self, path: Path = ASSET) -> None:
        if not path.is_file():
            raise FileNotFoundError(f'the furniture of the room composer, {str(path)!r}, does not exist; it is part of '
                                    'the package, so reinstall m2ae-mm.')
        with np.load(path, allow_pickle=False) as arrays:
            self._data = {key: arrays[key] for key in arrays.files}
        self._ends = np.cumsum(self._data['count'])
        self._glass = np.unpackbits(self._data['transparent'], count=int(self._ends[-1])).astype(bool)
        self._pieces: dict[int, Piece] = {}
        self._members = split_items(self._data['label'], self._data['kind'], self._data['name'], self._data['size'])
        self._pools: dict[tuple, np.ndarray] = {}

    def members(self, split: Split) -> np.ndarray:
        """Indices of the items that rooms of a split may use, ascending."""
        return self._members[split]

    def shared_classes(self) -> list[str]:
        """Classes whose only item serves both splits."""
        both = np.intersect1d(self._members['train'], self._members['val'])
        return [CLASSES[label] for label in self._data['label'][both]]

    def named(self, least: int) -> list[tuple[int, str, str]]:
        """Index, name and look of each item whose name ``least`` items or more have; items of one look are alike.

        The name is the class, or the finer type of what is outside the classes.
        """
        labels, kinds = self._data['label'], self._data['kind']
        names = [CLASSES[label] if label < OTHER else str(kind) for label, kind in zip(labels, kinds)]
        looks = _looks(kinds, self._data['name'], self._data['size'])
        return [(i, name, looks[i]) for i, name in enumerate(names) if names.count(name) >= least]

    def pick(self, rng: np.random.Generator, split: Split, kinds: Sequence[str]) -> Piece | None:
        """A random item of the given kinds, or ``None`` if the split has none."""
        key = (split, *kinds)
        if key not in self._pools:
            members = self._members[split]
            self._pools[key] = members[np.isin(self._data['kind'][members], kinds)]
        pool = self._pools[key]
        return self.piece(int(pool[rng.integers(len(pool))])) if len(pool) else None

    def piece(self, index: int) -> 'Piece':
        """Item ``index`` with its geometry unpacked."""
        if index not in self._pieces:
            self._pieces[index] = self._unpack(index)
        return self._pieces[index]

    def _unpack(self, index: int) -> 'Piece':
        data, end = self._data, int(self._ends[index])
        span = slice(end - int(data['count'][index]), end)
        size = data['size'][index].astype(np.float64)
        steps = (data['steps_high'][:, span].astype(np.int64) << 8 | data['steps_low'][:, span]).T
        normals = data['normals'][:, span].T.astype(np.float64)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        # Degenerate mesh faces have no normal; up is as good as any.
        normals = np.where(length > 0, normals / np.maximum(length, 1), (0, 0, 1))
        return Piece(points=steps / 1023 * size - (size[0] / 2, size[1] / 2, 0), normals=normals,
                     glass=self._glass[span], spacing=float(data['spacing'][index]), size=size,
                     label=int(data['label'][index]), nyu40=int(data['nyu40'][index]), kind=str(data['kind'][index]),
                     item=str(data['item'][index]), elevation=float(data['elevation'][index]),
                     top=float(data['top_height'][index]))


@lru_cache(maxsize=1)
def load_furniture() -> Furniture:
    """The packaged furniture, read once per process."""
    return Furniture()


def _looks(kind: np.ndarray, name: np.ndarray, size: np.ndarray) -> list[str]:
    """What look-alikes have in common: kind, name and size up to 2 cm."""
    return [f'{k}|{n}|{np.round(s / 0.02).astype(int).tolist()}' for k, n, s in zip(kind, name, size)]


def split_items(label: np.ndarray, kind: np.ndarray, name: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    """Give every item to train or val; the only item of a class to both.

    Look-alikes (same kind and name, sizes within 2 cm) stay together. About
    30 % of each kind goes to val. A kind with one item is train's, unless its
    class would then have nothing in val.

    Args:
        label, kind, name: (N,) class, finer type and title.
        size: (N, 3) metres.

    Returns:
        Ascending indices under ``'train'`` and ``'val'``.
    """
    rng = np.random.default_rng(0)
    looks = _looks(kind, name, size)
    val: list[str] = []
    for each in np.unique(kind):
        groups = sorted({looks[i] for i in np.flatnonzero(kind == each)})
        if len(groups) > 1:
            chosen = rng.permutation(len(groups))[:max(1, round(_VAL_SHARE * len(groups)))]
            val += [groups[i] for i in chosen]
    shared: list[str] = []
    for each in range(OTHER):
        groups = sorted({looks[i] for i in np.flatnonzero(label == each)})
        if len(groups) == 1:
            shared += groups
        elif groups and not set(groups) & set(val):
            val.append(groups[-1])
    in_val = np.array([look in val for look in looks])
    in_both = np.array([look in shared for look in looks])
    return {'train': np.flatnonzero(~in_val), 'val': np.flatnonzero(in_val | in_both)}
