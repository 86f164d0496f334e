"""Labelled boxes in the frame of a scan, and in that of the prepared room."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from m2ae_mm.errors import UserError
from m2ae_mm.ops import points_in_boxes

from ..scan_frame import ScanFrame

# Largest tilt of a box against the floor, and largest rotation at which it counts as parallel to the axes.
TILT = np.deg2rad(2)
_CHUNK = 200_000


class LabelledBox(NamedTuple):
    """One box of a label file.

    Attributes:
        where: File and place in it, for messages.
        name: Of its class.
        center: ``(3,)`` in the scan's coordinates.
        sides: ``(3,)`` full lengths along the axes of the scan before the box is turned.
        turn: Radians about the up axis of the scan, counter-clockwise seen from above, or ``(3, 3)``: columns are
            the directions of the sides in the scan.
        members: Indices of the points of the file that the box encloses, in place of centre, sides and turn.
    """
    where: str
    name: str
    center: np.ndarray | None = None
    sides: np.ndarray | None = None
    turn: float | np.ndarray = 0.
    members: np.ndarray | None = None

    @property
    def allows_alignment(self) -> bool:
        """Whether the box stays tight if walls are aligned with the axes: it is turned itself, or given by points."""
        if self.members is not None:
            return True
        if np.ndim(self.turn) == 2:
            return bool((np.abs(self.turn).max(0) < np.cos(TILT)).any())
        return bool(abs(np.sin(2 * self.turn)) > np.sin(2 * TILT))


class LeftOut(list):
    """Pairs of what was left out (a file, scan or box) and why."""

    def add(self, what: str, why: str) -> None:
        """Record one."""
        self.append((what, why.rstrip('.')))

    def lines(self) -> list[str]:
        """One line for each."""
        return [f'{what}: {why}' for what, why in self]


def labelled_box(where: str, name: object, center: Sequence, sides: Sequence,
                 turn: float | np.ndarray = 0.) -> LabelledBox:
    """A box from the entries of a file.

    Raises:
        UserError: If the class has no name, a value is no finite number, or a side is not above 0.
    """
    center, sides = three_numbers('centre', center), three_numbers('sides', sides)
    if not (sides > 0).all():
        raise UserError(f'its sides are {" x ".join(f"{side:g}" for side in sides)}, and all must be above 0')
    if not np.isfinite(turn).all():
        raise UserError(f'its rotation is {turn}, which is no finite number')
    return LabelledBox(where, class_name(name), center, sides, turn)


def class_name(name: object) -> str:
    """A class name with single blanks between its words.

    Raises:
        UserError: If it is empty or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserError(f'its class name is {"empty" if name is None or isinstance(name, str) else repr(name)}')
    return ' '.join(name.split())


def three_numbers(what: str, values: object) -> np.ndarray:
    """``(3,)`` float64.

    Raises:
        UserError: If they are not three finite numbers.
    """
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (3, ) or not np.isfinite(numbers).all():
        raise UserError(f'its {what} must be three finite numbers, got {str(values)[:80]}')
    return numbers


def box_in_room(box: LabelledBox, frame: ScanFrame, vertices: np.ndarray | None = None) -> np.ndarray:
    """``(7,)`` centre, sides and yaw of a box in the frame into which :meth:`ScanFrame.apply` brings the scan.

    A box is the same after half a turn, and after a quarter turn with its
    sides exchanged: the yaw is the one in [-pi/4, pi/4).

    Args:
        box: In the scan.
        frame: Of the scan.
        vertices: All points of the file, for boxes with ``members``.

    Raises:
        UserError: If it is tilted against the floor, or encloses nothing.
    """
    if box.members is not None:
        inside = frame.apply(vertices[box.members])
        inside = inside[np.isfinite(inside).all(1)]
        if not len(inside) or not (np.ptp(inside, axis=0) > 0).all():
            raise UserError(f'its {len(inside)} points enclose nothing')
        return np.hstack([(inside.min(0) + inside.max(0)) / 2, np.ptp(inside, axis=0), 0])
    if np.ndim(box.turn) == 0:
        return _folded(frame.apply_to_boxes(np.hstack([box.center, box.sides, box.turn])[None])[0])
    directions, sides = frame.rotation @ box.turn, box.sides * frame.unit_scale
    upright = int(np.abs(directions[2]).argmax())
    if abs(directions[2, upright]) < np.cos(TILT):
        tilt = np.rad2deg(np.arccos(min(1., abs(directions[2, upright]))))
        raise UserError(f'it is tilted by {tilt:.0f} degrees against the floor ({frame.up_axis} is up), and boxes of '
                        'rooms turn about the up axis only')
    first, second = (side for side in range(3) if side != upright)
    yaw = np.arctan2(directions[1, first], directions[0, first])
    return _folded(np.hstack([frame.apply(box.center[None])[0], sides[[first, second, upright]], yaw]))


def _folded(box: np.ndarray) -> np.ndarray:
    quarters = int(np.floor(box[6] / (np.pi / 2) + 0.5))
    if quarters % 2:
        box[[3, 4]] = box[[4, 3]]
    box[6] -= quarters * np.pi / 2
    return box


def count_points(xyz: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """``(M,)`` number of points ``(N, 3)`` in each of the boxes ``(M, 7)``."""
    total = np.zeros(len(boxes), np.int64)
    if not len(boxes):
        return total
    frames = torch.from_numpy(boxes).float()[None]
    for start in range(0, len(xyz), _CHUNK):
        points = torch.from_numpy(np.ascontiguousarray(xyz[start:start + _CHUNK])).float()[None]
        total += points_in_boxes(points, frames)[0].sum(0).numpy()
    return total
