"""A room of the data set, made from a scan and its boxes."""
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import write_bytes

from ..io.clouds import read_content
from ..io.scans import USUAL_UP, read_bare, read_scan
from ..scan_frame import ScanFrame, find_frame
from .boxes import LabelledBox, LeftOut, box_in_room, count_points

POINTS = 'points'
_GREY = 128
# Longest side of a box, in diagonals of its scan.
_LARGEST = 2


class Options(NamedTuple):
    """How scans are read.

    Attributes:
        unit: See :func:`scale_of`; None infers it.
        up: The axis that points up; None infers it.
        align: Whether walls are turned parallel to the axes.
        columns: Numbers for each point in ``.bin`` files; None infers them.
        max_points: Points to keep of a scan; 0 keeps all.
        classes: The classes to keep; empty for all.
    """
    unit: str | float | None = None
    up: str | None = None
    align: bool = True
    columns: int | None = None
    max_points: int = 0
    classes: tuple[str, ...] = ()


class Room(NamedTuple):
    """A room whose points are written.

    Attributes:
        name: Of its files.
        scan: Its scan.
        frame: In which the scan was recorded.
        points: Number of points kept.
        coloured: Whether the scan has colours.
        boxes: ``(M, 7)`` metres, z up, see :func:`box_in_room`.
        names: M classes.
        counts: ``(M,)`` points of the whole scan in each box.
        scanned: Number of points of the whole scan.
    """
    name: str
    scan: Path
    frame: ScanFrame
    points: int
    coloured: bool
    boxes: np.ndarray
    names: list[str]
    counts: np.ndarray
    scanned: int


def make_room(path: Path, name: str, labelled: list[LabelledBox], out: Path, options: Options,
              left_out: LeftOut) -> Room:
    """Bring a scan and its boxes to metres, z up, on the floor at the origin, and write the points.

    Args:
        path: Of the scan.
        name: Of the files to be written.
        labelled: Its boxes.
        out: Folder with a folder :data:`POINTS`.
        options: How to read it.
        left_out: Receives the boxes that are left out.

    Raises:
        ValueError: If the scan gives no room; the message says why.
    """
    scan = read_scan(path, options.columns, path.name)
    frame = find_frame(scan.xyz, options.unit, options.up, options.align, USUAL_UP.get(path.suffix.lower(), 'z'))
    xyz = frame.apply(scan.xyz)
    kept, boxes, counts = _boxes(path, labelled, frame, xyz, options, left_out)
    if labelled and not kept:
        raise UserError(f'none of its {len(labelled)} boxes could be used')
    rows = point_rows(xyz, scan.colours, kept_points(len(xyz), options.max_points, name))
    write_bytes(out / POINTS / f'{name}.bin', rows.tobytes(), durable=False)
    return Room(name, path, frame, len(rows), scan.colours is not None, boxes, [box.name for box in kept], counts,
                len(xyz))


def _boxes(path: Path, labelled: list[LabelledBox], frame: ScanFrame, xyz: np.ndarray, options: Options,
           left_out: LeftOut) -> tuple[list[LabelledBox], np.ndarray, np.ndarray]:
    """The usable boxes, in the frame of the room, and the number of points in each."""
    vertices = _vertices(path, labelled, options.columns)
    kept, placed = [], []
    reach = np.ptp(xyz, axis=0)
    for box in labelled:
        try:
            if options.classes and box.name not in options.classes:
                raise UserError(f'its class {box.name!r} is none of {", ".join(options.classes)}')
            place = box_in_room(box, frame, vertices)
            if place[3:6].max() > _LARGEST * np.linalg.norm(reach):
                raise UserError(f'its sides are {" x ".join(f"{side:.3g}" for side in place[3:6])} m, and the scan '
                                f'reaches {" x ".join(f"{side:.1f}" for side in reach)} m')
            placed.append(place)
            kept.append(box)
        except UserError as error:
            left_out.add(box.where, reason(error))
    boxes = np.array(placed).reshape(-1, 7)
    counts = count_points(xyz, boxes)
    if len(kept) > 1 and not counts.any():
        low, high = xyz.min(0), xyz.max(0)
        raise UserError(f'none of its {len(kept)} boxes holds a point. Boxes must be in the frame and unit of the scan '
                        f'(in metres on the floor it reaches from {_shown(low)} to {_shown(high)}, the boxes are at '
                        f'{_shown(boxes[:, :3].min(0))} to {_shown(boxes[:, :3].max(0))})')
    for box, count in zip(kept, counts):
        if not count:
            left_out.add(box.where, 'it holds no points')
    full = counts > 0
    return [box for box, count in zip(kept, counts) if count], boxes[full], counts[full]


def _vertices(path: Path, labelled: list[LabelledBox], columns: int | None) -> np.ndarray | None:
    """All points of a file, to which indices in label files refer; None if no box has any.

    Raises:
        UserError: If the labels are of another file.
    """
    chosen = [box.members for box in labelled if box.members is not None]
    if not chosen:
        return None
    content = read_bare(path, columns) if path.suffix.lower() == '.bin' else read_content(path)
    last = max(members.max() for members in chosen)
    if last >= len(content.points):
        raise UserError(f'its labels are of {last + 1} points or more, and it has {len(content.points)}')
    return content.points


def kept_points(count: int, most: int, name: str) -> np.ndarray:
    """Positions of the points of a scan to keep, always the same for its name; all if ``most`` is 0."""
    if not 0 < most < count:
        return np.arange(count)
    return np.sort(np.random.default_rng(zlib.crc32(name.encode())).choice(count, most, replace=False))


def point_rows(xyz: np.ndarray, colours: np.ndarray | None, kept: np.ndarray) -> np.ndarray:
    """``(n, 6)`` float32 x, y, z, r, g, b of the points to keep; grey without colours."""
    colours = np.full(xyz.shape, _GREY) if colours is None else colours
    return np.hstack([xyz[kept], colours[kept]]).astype('<f4')


def _shown(values: np.ndarray) -> str:
    return ' '.join(f'{value:.1f}' for value in values)


def class_list(rooms: list[Room], given: tuple[str, ...]) -> tuple[str, ...]:
    """Classes in the order of their labels: those given, or all that occur, sorted by name."""
    found = {name for room in rooms for name in room.names}
    return given or tuple(sorted(found, key=lambda name: (name.lower(), name)))


def written_in_several_ways(names: Counter) -> list[str]:
    """Class names that differ only in capitals, blanks, dashes and underscores."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(''.join(each for each in name.lower() if each.isalnum()) or name, []).append(name)
    return [' and '.join(repr(name) for name in group) for group in groups.values() if len(group) > 1]
