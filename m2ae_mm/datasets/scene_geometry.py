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
# Float32 may blur this share of a scene's size.
_BLUR = 1e-4


def scene_sides(xyz: np.ndarray) -> np.ndarray:
    """``(3,)`` side lengths along x, y and z without the outermost points."""
    return np.subtract(*_bounds(_some(xyz))[::-1])


def end_coverage(xyz: np.ndarray) -> dict[str, tuple[float, float]]:
    """How much of a scan, seen along an axis, its fullest layer covers.

    Args:
        xyz: ``(N, 3)``, in any unit.

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
