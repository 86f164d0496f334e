"""What a scan shows of its unit, its up axis and its floor. Pure functions of points ``(N, 3)``."""
import numpy as np

from .io.local import float_step

# Rotations that turn an up axis to +z. A yaw about that axis is the same yaw about +z afterwards.
TO_Z_UP = {
    'x': np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    'y': np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    'z': np.eye(3, dtype=int),
    '-x': np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
    '-y': np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    '-z': np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]]),
}
# Metres: a room, a flat or a hall is larger than the first and smaller than the second.
LEAST_SIDE, LARGEST_SIDE = 0.5, 100.
# Points that decide; more would change nothing but the time.
_ENOUGH = 20000
# Fewer points show no floor.
_FEW = 1000
# Some reflections lie far outside of every scan.
_OUTSIDE = 0.005
_CELLS, _LAYERS = 60, 150
# A floor covers at least this share of what there is below the camera; the other end of its axis, where no ceiling was
# scanned, at most that. Measured on ScanNet and composed rooms: floors 0.59 and more, open ends 0.12 and less.
_FLOOR, _OPEN = 0.5, 0.25
# Upright rooms and single views of them show this much floor in the lowest quarter; views in the frame of a tilted
# camera 0.09 and less.
_NO_FLOOR = 0.1
# Of two axes with a floor and a ceiling, the usual one is taken if it is at most this much longer.
_FLAT = 1.1
# Metres: layers in which the floor is looked for, cells seen from above, bins that show walls.
_LAYER, _CELL, _BIN = 0.03, 0.1, 0.05
_MOST_CELLS = 2000
# Entropies, measured on composed rooms and ScanNet: what a frame must be better than the scan's own, and than most.
_SHARPER, _WALLS = 0.05, 0.15
# Radians: what is turned by less counts as parallel to the axes; detectors are trained with 5 degrees to either side.
_STRAIGHT = np.deg2rad(1.5)
# How far from a rotation the numbers of an alignment may be, which files give with six decimals.
_ROUNDED = 1e-3
# Float32 may blur this share of a scene's size.
_BLUR = 1e-4


def alignment_problem(matrix: object) -> str | None:
    """What keeps a ``(4, 4)`` matrix from being a rotation and a translation, in a few words; None if it is one."""
    try:
        matrix = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        return 'which holds other things than numbers'
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return f'which is no 4 x 4 matrix of finite numbers (shape {matrix.shape})'
    rotation = matrix[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=_ROUNDED) or np.linalg.det(rotation) < 0:
        return 'which scales, shears or mirrors'
    return None if np.allclose(matrix[3], [0, 0, 0, 1], atol=_ROUNDED) else 'whose last row is not 0 0 0 1'


def scene_sides(xyz: np.ndarray) -> np.ndarray:
    """``(3,)`` side lengths along x, y and z without the outermost points."""
    return np.subtract(*_bounds(_some(xyz))[::-1])


def end_coverage(xyz: np.ndarray) -> dict[str, tuple[float, float]]:
    """How much of a scan ``(N, 3)``, seen along an axis, its fullest layer covers.

    Returns:
        For each of ``'x'``, ``'y'`` and ``'z'`` the share in the lowest and in the highest quarter of the axis, from
        0 to 1: floors, ceilings and walls cover most.
    """
    xyz = _some(xyz)
    low, high = _bounds(xyz)
    xyz = xyz[((xyz >= low) & (xyz <= high)).all(1)]
    place = (xyz - low) / max((high - low).max(), np.finfo(np.float64).tiny)
    cells, layers = (np.minimum((place * count).astype(int), count - 1) for count in (_CELLS, _LAYERS))
    result = {}
    for axis in range(3):
        first, second = (other for other in range(3) if other != axis)
        seen = np.zeros((_LAYERS + 2, _CELLS * _CELLS), bool)
        seen[layers[:, axis] + 2, cells[:, first] * _CELLS + cells[:, second]] = True
        seen = seen[:-2] | seen[1:-1] | seen[2:]  # noise and slopes spread a plane over neighbouring layers
        count = layers[:, axis].max() + 1
        cover = seen.sum(1)[:count] / seen.any(0).sum()
        quarter = max(1, count // 4)
        result['xyz'[axis]] = float(cover[:quarter].max()), float(cover[-quarter:].max())
    return result


def find_up_axis(xyz: np.ndarray) -> str | None:
    """The one of :data:`TO_Z_UP` at whose low end there is a floor and at whose high end nothing; None if none is.

    Scans with a ceiling, or in the frame of a tilted camera, have none.
    """
    clear = {}
    for axis, (low, high) in end_coverage(xyz).items():
        for name, floor, top in ((axis, low, high), (f'-{axis}', high, low)):
            if floor >= _FLOOR and top <= _OPEN:
                clear[name] = floor - top
    return max(clear, key=clear.get, default=None)


def find_likely_up_axis(xyz: np.ndarray, usual: str = 'z') -> str | None:
    """As :func:`find_up_axis`, and for scans with a ceiling the flattest axis; None only if no axis has a floor.

    Rooms are flatter than wide, and furniture stands on the floor: so the
    ceiling is the end near which there is less.

    Args:
        xyz: ``(N, 3)``, in any unit.
        usual: The axis to be taken, at its low end, where nothing speaks against it.
    """
    clear = find_up_axis(xyz)
    if clear is not None:
        return clear
    cover, sides = end_coverage(xyz), dict(zip('xyz', scene_sides(xyz)))
    closed = [axis for axis, ends in cover.items() if min(ends) >= _FLOOR]
    if closed:
        flattest = min(closed, key=sides.get)
        axis = usual if usual in closed and sides[usual] <= _FLAT * sides[flattest] else flattest
        return axis if _fuller_end(xyz, axis) == 0 else f'-{axis}'
    return usual if cover[usual[-1]][usual[0] == '-'] >= _NO_FLOOR else None


def _fuller_end(xyz: np.ndarray, axis: str) -> int:
    """At which end of an axis, 0 or 1, more of what is seen along it is filled, planes at the ends aside."""
    xyz = _some(xyz)
    low, high = _bounds(xyz)
    place = (xyz - low) / np.maximum(high - low, np.finfo(np.float64).tiny)
    column = 'xyz'.index(axis)
    cells = (np.delete(place, column, 1).clip(0, 1) * (_CELLS - 1)).astype(int) @ [_CELLS, 1]
    height = place[:, column]
    filled = [len(np.unique(cells[(height > first) & (height < last)])) for first, last in ((0.08, 0.4), (0.6, 0.92))]
    return int(filled[1] > filled[0])


def scene_bounds(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest ``(3,)`` of a scene along x, y and z without the outermost points."""
    return _bounds(_some(xyz))


def floor_height(xyz: np.ndarray) -> float:
    """Where in z the floor of a scene ``(N, 3)`` in metres with z up is: the fullest layer of its lowest quarter."""
    xyz = _some(xyz)
    low, high = _bounds(xyz)
    lowest = xyz[(xyz[:, 2] < low[2] + (high - low)[2] / 4) & (xyz >= low - _LAYER).all(1)]
    if not len(lowest):
        return float(low[2])
    cells = ((lowest[:, :2] - low[:2]) / _CELL).astype(int).clip(0, _MOST_CELLS) @ [_MOST_CELLS + 1, 1]
    layers = ((lowest[:, 2] - low[2]) / _LAYER + 1).astype(int)
    pairs = np.unique(layers * (_MOST_CELLS + 1)**2 + cells)
    filled = np.bincount(pairs // (_MOST_CELLS + 1)**2)
    fullest = int((filled[:-1] + filled[1:]).argmax()) if len(filled) > 1 else 0  # noise spreads it over two
    return float(np.median(lowest[(layers == fullest) | (layers == fullest + 1), 2]))


def wall_heading(xyz: np.ndarray) -> float:
    """Radians in [-pi/4, pi/4) by which the walls of a scene in metres with z up are turned against x and y.

    The less its points spread over the axes of a frame, the more walls are
    parallel to them: the entropy of both histograms is least. Exactly 0 where
    another frame is hardly better.
    """
    xyz = _some(xyz)
    low, high = _bounds(xyz)
    wall = xyz[(xyz[:, 2] > low[2] + 0.15 * (high - low)[2]), :2] - (low + high)[:2] / 2
    if len(wall) < _FEW:
        return 0.
    coarse = np.deg2rad(np.arange(-45, 45, 1.))
    spread = np.array([_spread(wall, angle) for angle in coarse])
    fine = coarse[spread.argmin()] + np.deg2rad(np.arange(-1, 1.01, 0.1))
    fine_spread = np.array([_spread(wall, angle) for angle in fine])
    best = int(fine_spread.argmin())
    if abs(fine[best]) < _STRAIGHT:
        return 0.
    if _spread(wall, 0.) - fine_spread[best] < _SHARPER or np.median(spread) - fine_spread[best] < _WALLS:
        return 0.
    return float((fine[best] + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _spread(xy: np.ndarray, angle: float) -> float:
    """The entropy of points ``(N, 2)`` in bins along the axes of a frame turned by ``angle``."""
    cos, sin = np.cos(angle), np.sin(angle)
    total = 0.
    for along in (xy @ [cos, sin], xy @ [-sin, cos]):
        counts = np.bincount(((along - along.min()) / _BIN).astype(int))
        shares = counts[counts > 0] / len(along)
        total -= float(shares @ np.log(shares))
    return total


def find_unit_scale(xyz: np.ndarray) -> float | None:
    """Metres per unit if the sides are those of a room in millimetres or centimetres; None otherwise."""
    side = scene_sides(xyz).max()
    scale = 0.001 if side > 15 * LARGEST_SIDE else 0.01
    return scale if side > LARGEST_SIDE and side * scale <= LARGEST_SIDE else None


def doubts(xyz: np.ndarray) -> dict[str, str]:
    """Why a scan cannot be a room in metres with z up, in words by ``'unit'``, ``'up'`` and ``'origin'``."""
    if not len(xyz):
        return {}
    sides, found = scene_sides(xyz), {}
    if not LEAST_SIDE <= sides.max() <= LARGEST_SIDE:
        size = ' x '.join(f'{side:,.4g}' for side in sides)
        found['unit'] = f'it is {size} large, and rooms in metres are {LEAST_SIDE} to {LARGEST_SIDE:g}'
    up, floor = (find_up_axis(xyz), end_coverage(xyz)['z'][0]) if len(xyz) >= _FEW else ('z', 1.)
    if up not in (None, 'z'):
        found['up'] = f'its floor is where {up[-1]} is {"high" if up[0] == "-" else "low"}, not at low z'
    elif up is None and floor < _NO_FLOOR:
        found['up'] = f'there is no floor at low z (the fullest layer covers {floor:.0%} of what is seen from above)'
    far, step = np.abs(xyz).max(), float_step(xyz)
    if step > _BLUR * sides.max() > 0:
        found['origin'] = f'it lies {far:,.0f} from the origin, where single precision has steps of {step:.3g}'
    return found


def to_metres_z_up(xyz: np.ndarray, unit_scale: float, up_axis: str) -> np.ndarray:
    """Points ``(N, 3)`` given in ``unit_scale`` metres with ``up_axis`` up, in metres with z up."""
    return xyz @ (unit_scale * TO_Z_UP[up_axis].T)


def _some(xyz: np.ndarray) -> np.ndarray:
    """Finite points, in float64, at most about :data:`_ENOUGH`."""
    xyz = np.asarray(xyz[::max(1, len(xyz) // _ENOUGH)], np.float64)
    return xyz[np.isfinite(xyz).all(1)]


def _bounds(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(xyz, [_OUTSIDE, 1 - _OUTSIDE], axis=0)
    return low, high
