"""Procedural pieces for classes with hardly any items: sheets, slabs and folds."""
import numpy as np

from .furniture import CLASS_NYU40, CLASSES, OTHER, Piece

_DENSITY = 2500.0  # points per square metre
_NYU40_WHITEBOARD = 30
_NYU40_FLOOR_MAT = 20


def block(rng: np.random.Generator, size: tuple[float, float, float], kind: str, label: int, nyu40: int,
          elevation: float = 0.0) -> Piece:
    """A closed cuboid.

    Args:
        size: Width, depth and height in metres.
        label: 0..17 or ``OTHER``.
        elevation: Height of its lowest point above the floor in metres.
    """
    size_ = np.asarray(size, dtype=np.float64)
    areas = np.repeat([size_[1] * size_[2], size_[0] * size_[2], size_[0] * size_[1]], 2)
    counts = np.maximum(np.round(areas * _DENSITY).astype(int), 8)
    points, normals = [], []
    for face, count in enumerate(counts):
        axis, side = divmod(face, 2)
        p = rng.random((count, 3))
        p[:, axis] = side
        points.append(p)
        normals.append(np.tile(np.eye(3)[axis], (count, 1)))
    unit = np.concatenate(points)
    return Piece(points=(unit - (0.5, 0.5, 0)) * size_, normals=np.concatenate(normals),
                 glass=np.zeros(len(unit), dtype=bool), spacing=_DENSITY**-0.5, size=size_, label=label, nyu40=nyu40,
                 kind=kind, elevation=elevation, top=float(size_[2]))


def folds(rng: np.random.Generator, size: tuple[float, float, float], kind: str, label: int,
          elevation: float) -> Piece:
    """Hanging cloth: a sheet in sine folds along its width, as deep as ``size[1]``."""
    width, depth, height = size
    waves = max(2, round(width / rng.uniform(0.12, 0.2)))
    count = int(width * height * _DENSITY * 1.5)
    u, v = rng.random(count), rng.random(count)
    # Both ends of the range are reached, so that the box is exact.
    phase = 2 * np.pi * waves * u
    y = 0.5 * depth * np.sin(phase)
    slope = 0.5 * depth * np.cos(phase) * 2 * np.pi * waves / width
    normals = np.stack([-slope, np.ones(count), np.zeros(count)], axis=1)
    return Piece(points=np.stack([(u - 0.5) * width, y, v * height], axis=1),
                 normals=normals / np.linalg.norm(normals, axis=1, keepdims=True), glass=np.zeros(count, dtype=bool),
                 spacing=(1.5 * _DENSITY)**-0.5, size=np.array(size, dtype=np.float64), label=label,
                 nyu40=CLASS_NYU40[label], kind=kind, elevation=elevation)


def picture(rng: np.random.Generator) -> Piece:
    """A framed picture or poster for the wall, 0.3 to 1.2 m wide."""
    width, height = rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.9)
    label = CLASSES.index('picture')
    return block(rng, (width, rng.uniform(0.02, 0.05), height), 'wall picture', label, CLASS_NYU40[label],
                 elevation=rng.uniform(1.5, 1.75) - height / 2)


def curtain(rng: np.random.Generator, width: float, height: float) -> Piece:
    """A curtain that hangs from ``height`` down to just above the floor or a sill."""
    drop = height - (0.03 if rng.random() < 0.7 else rng.uniform(0.5, 0.8))
    return folds(rng, (width, rng.uniform(0.06, 0.12), drop), 'plain curtain', CLASSES.index('curtain'),
                 elevation=height - drop)


def shower_curtain(rng: np.random.Generator, width: float) -> Piece:
    """A shower curtain along the edge of a bathtub or shower, ``width`` metres wide."""
    height = rng.uniform(1.5, 1.8)
    return folds(rng, (width, rng.uniform(0.06, 0.12), height), 'plain shower curtain',
                 CLASSES.index('showercurtrain'), elevation=2.05 - height)


def worktop(rng: np.random.Generator, width: float, depth: float, elevation: float) -> Piece:
    """The slab over a run of kitchen cabinets, 4 cm thick."""
    label = CLASSES.index('counter')
    return block(rng, (width, depth, 0.04), 'worktop', label, CLASS_NYU40[label], elevation)


def whiteboard(rng: np.random.Generator) -> Piece:
    """A whiteboard for the wall, 1.2 to 2.4 m wide."""
    return block(rng, (rng.uniform(1.2, 2.4), 0.03, rng.uniform(0.9, 1.2)), 'wall whiteboard', OTHER,
                 _NYU40_WHITEBOARD, elevation=0.9)


def rug(rng: np.random.Generator, width: float, depth: float) -> Piece:
    """A flat rug, 1 cm thick."""
    return block(rng, (width, depth, 0.01), 'plain rug', OTHER, _NYU40_FLOOR_MAT)
