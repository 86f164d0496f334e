"""The frame a scan was recorded in, found from its points, and the way from there to metres, z up, floor at 0."""
from dataclasses import dataclass, field

import numpy as np

from .io.local import float_step
from .scene_geometry import (
    LARGEST_SIDE,
    LEAST_SIDE,
    TO_Z_UP,
    end_coverage,
    find_likely_up_axis,
    floor_height,
    scene_bounds,
    wall_heading,
)

UNITS = {'m': 1., 'cm': 0.01, 'mm': 0.001, 'ft': 0.3048, 'in': 0.0254}
# Those that a scan without a word about its unit is tried in.
_COMMON = ('m', 'cm', 'mm')
# Rooms and halls are so high, views of a part of one not less; of several units, the one wins whose height is nearest
# to that of a room.
_LEAST_HEIGHT, _LARGEST_HEIGHT, _USUAL_HEIGHT = 0.4, 15., 2.5
LEAST_POINTS = 200
# What a camera sees of a room, x to the right, y ahead and z up from where it is: the volume in which mmdet3d's
# ImVoxelNet looks for things in SUN RGB-D.
_VIEW = np.array([(-3.2, -0.2, -2.28), (3.2, 6.2, 0.28)])
# Single precision may blur this share of a scan's size.
_BLUR = 1e-3


@dataclass(frozen=True)
class ScanFrame:
    """How a scan was recorded.

    Attributes:
        unit_scale: Metres per unit.
        up_axis: A key of :data:`TO_Z_UP`.
        origin: ``(3,)`` the point of the scan that becomes the origin, in its own coordinates.
        heading: Radians by which walls are turned against the axes, about the up axis.
    """
    unit_scale: float = 1.
    up_axis: str = 'z'
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))
    heading: float = 0.

    @property
    def rotation(self) -> np.ndarray:
        """``(3, 3)``: axes of the scan to those of the model."""
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ TO_Z_UP[self.up_axis]

    def apply(self, xyz: np.ndarray) -> np.ndarray:
        """Points ``(N, 3)`` of the scan in metres, z up, on the floor at the origin; float64."""
        return (np.asarray(xyz, np.float64) - self.origin) @ (self.unit_scale * self.rotation.T)

    def undo(self, xyz: np.ndarray) -> np.ndarray:
        """Back to the scan: what :meth:`apply` made of points ``(N, 3)``."""
        return np.asarray(xyz, np.float64) @ self.rotation / self.unit_scale + self.origin

    def apply_to_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes ``(M, 7)`` of the scan, see :meth:`undo_boxes`, where :meth:`apply` puts points."""
        boxes = np.asarray(boxes, np.float64)
        sides = boxes[:, 3:6][:, self._sides] * self.unit_scale
        return np.hstack([self.apply(boxes[:, :3]), sides, wrapped(boxes[:, 6:] - self.heading)])

    def undo_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes ``(M, 7)`` back in the scan: centre, sides, yaw.

        The sides are those along the axes of the scan while the yaw is 0; the
        yaw turns the box about the up axis, counter-clockwise seen from above.
        """
        boxes = np.asarray(boxes, np.float64)
        sides = np.empty((len(boxes), 3))
        sides[:, self._sides] = boxes[:, 3:6] / self.unit_scale
        return np.hstack([self.undo(boxes[:, :3]), sides, wrapped(boxes[:, 6:] + self.heading)])

    @property
    def _sides(self) -> list[int]:
        return np.abs(TO_Z_UP[self.up_axis]).argmax(1).tolist()

    @property
    def unit(self) -> str:
        """Name of the unit, or the metres it has."""
        return next((name for name, scale in UNITS.items() if np.isclose(scale, self.unit_scale)),
                    f'{self.unit_scale:g} m')

    def describe(self) -> dict:
        """Plain values for a file of results."""
        return dict(unit=self.unit, metres_per_unit=float(self.unit_scale), up=self.up_axis,
                    origin=np.asarray(self.origin, np.float64).tolist(), heading=float(self.heading))

    def __str__(self) -> str:
        turned = f', walls turned by {np.rad2deg(self.heading):.0f} degrees' if self.heading else ''
        return f'in {self.unit} with {self.up_axis} up{turned}'


def wrapped(angles: np.ndarray) -> np.ndarray:
    """Angles in [-pi, pi)."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def scale_of(unit: str | float) -> float:
    """Metres per unit, from a name of :data:`UNITS` or a number.

    Raises:
        ValueError: For anything else.
    """
    try:
        scale = UNITS[unit] if unit in UNITS else float(unit)
    except (TypeError, ValueError):
        scale = 0.
    if not 0 < scale < np.inf:
        raise ValueError(f'unit must be {", ".join(UNITS)} or the metres of one unit, got {unit!r}.')
    return scale


def find_frame(xyz: np.ndarray, unit: str | float | None = None, up: str | None = None, turn: bool = True,
               usual_up: str = 'z', view: bool = False) -> ScanFrame:
    """The frame of a scan, as far as it is not given found from its floor and its extent.

    The origin becomes the middle of the scan on the floor. With ``view`` it
    becomes a camera's place, as in SUN RGB-D: the scan's own origin if that can
    be one, else a place from which the scan is where things are seen.

    Args:
        xyz: ``(N, 3)`` finite points.
        unit: See :func:`scale_of`; None finds metres, centimetres or millimetres.
        up: A key of :data:`TO_Z_UP`; None finds it.
        turn: Whether to find by how much the walls are turned; otherwise the heading is 0.
        usual_up: The axis to be taken where floor and ceiling leave several.
        view: Whether the scan is to be as a camera sees it. Walls are not turned then.

    Raises:
        ValueError: If this can be no scan of a room, with what was seen.
    """
    if up is not None and up not in TO_Z_UP:
        raise ValueError(f'up must be one of {", ".join(TO_Z_UP)}, got {up!r}.')
    if len(xyz) < LEAST_POINTS:
        raise ValueError(f'it has {len(xyz)} points, and a room needs {LEAST_POINTS} at the least')
    first = np.asarray(xyz[0], np.float64)
    near = np.asarray(xyz, np.float64) - first
    _check_extent(xyz, near)
    up_axis = up or find_likely_up_axis(near, usual_up)
    if up_axis is None:
        covered = ', '.join(f'{max(shares):.0%} of what is seen along {axis}'
                            for axis, shares in end_coverage(near).items())
        raise ValueError(f'it has no floor: the fullest layers cover {covered}. If it is the scan of a room, say which '
                         'axis points up (--up y, in Python up=\'y\')')
    upright = near @ TO_Z_UP[up_axis].T
    scale = scale_of(unit) if unit is not None else _find_scale(upright)
    upright *= scale
    if unit is not None:
        _check_size(upright, unit)
    if view:
        camera = _camera(upright, scale * (TO_Z_UP[up_axis] @ -first))
        return ScanFrame(scale, up_axis, first + camera @ TO_Z_UP[up_axis] / scale)
    heading = wall_heading(upright) if turn else 0.
    turned = ScanFrame(heading=heading).apply(upright)
    low, high = scene_bounds(turned)
    origin = (low + high) / 2  # as ScanNet's aligned scans have it; a corner changes no figure on composed rooms
    origin[2] = floor_height(turned)
    rotation = ScanFrame(scale, up_axis, np.zeros(3), heading).rotation
    return ScanFrame(scale, up_axis, first + origin @ rotation / scale, heading)


def _camera(upright: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Where the camera was among points in metres, z up: at ``origin``, that of the file, if it sees them so."""
    low, high = scene_bounds(upright)
    middle = (low + high) / 2
    seen = ((_VIEW[0] <= middle - origin) & (middle - origin <= _VIEW[1])).all()
    return origin if seen and low[1] - origin[1] >= _VIEW[0, 1] else middle - _VIEW.mean(0)


def _check_extent(xyz: np.ndarray, near: np.ndarray) -> None:
    low, high = scene_bounds(near)
    size = (high - low).max()
    step = float_step(np.asarray(xyz))
    if not size > 0 and step < _BLUR:
        raise ValueError('all of its points are in one place')
    if step > _BLUR * size and np.array_equal(xyz, np.asarray(xyz).astype(np.float32)):
        raise ValueError(f'it lies {np.abs(xyz).max():,.0f} from the origin in single precision, which has steps of '
                         f'{step:.3g} there. Save it in double precision, or with an origin near it')
    if not size > 0:
        raise ValueError('all of its points are in one place')


def _check_size(upright: np.ndarray, unit: str | float) -> None:
    """Refuse a unit in which a scan, brought to metres, is no room."""
    low, high = scene_bounds(upright)
    if not LEAST_SIDE <= (high - low).max() <= LARGEST_SIDE:
        size = ' x '.join(f'{each:,.3g}' for each in high - low)
        raise ValueError(f'with unit {unit} it is {size} metres large, and rooms are {LEAST_SIDE} to '
                         f'{LARGEST_SIDE:g}. Give another unit, or none to have it found')


def _find_scale(upright: np.ndarray) -> float:
    """Metres per unit of a scan with z up, by its height and its largest side."""
    low, high = scene_bounds(upright)
    height, side = (high - low)[2], (high - low).max()
    fitting = [scale for scale in map(UNITS.get, _COMMON)
               if _LEAST_HEIGHT <= height * scale <= _LARGEST_HEIGHT and LEAST_SIDE <= side * scale <= LARGEST_SIDE]
    if not fitting:
        size = ' x '.join(f'{each:,.3g}' for each in high - low)
        raise ValueError(f'it is {size} large (the last is its height), which is no room in metres, centimetres or '
                         'millimetres. If it is one, give the unit (--unit in, or --unit 0.1 for a tenth of a metre; '
                         'in Python unit=0.1)')
    return min(fitting, key=lambda scale: abs(np.log(height * scale / _USUAL_HEIGHT)))
