"""One scan with its boxes as a room of the data set."""
from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import write_bytes

from ..io.clouds import read_content
from ..io.scans import USUAL_UP, Scan, read_bare, read_scan
from ..scan_frame import ScanFrame, find_frame
from .boxes import LabelledBox, LeftOut, box_in_room, count_points

POINTS = 'points'
_GREY = 128
# A side of a box may be so many diagonals of its scan long.
_LARGEST = 2


class Options(NamedTuple):
    """How scans are read.

    Attributes:
        unit: See :func:`scale_of`; None finds it.
        up: The axis that points up; None finds it.
        align: Whether walls are turned parallel to the axes.
        columns: Numbers a point has in ``.bin`` files; None finds that out.
        max_points: Points to keep of a scan; 0 keeps all.
        classes: The only names that boxes may have; none for any.
    """
    unit: str | float | None = None
    up: str | None = None
    align: bool = True
    columns: int | None = None
    max_points: int = 0
    classes: tuple[str, ...] = ()


class Room(NamedTuple):
    """What is known of a room whose points are written.

    Attributes:
        name: Of its files.
        scan: Its scan.
        frame: That the scan was recorded in.
        points: How many are kept.
        coloured: Whether the scan has colours.
        boxes: ``(M, 7)`` metres, z up, see :func:`box_in_room`.
        names: M classes.
        counts: ``(M,)`` points of the whole scan in each.
        scanned: Points of the whole scan.
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
        left_out: Gets the boxes that are left out.

    Raises:
        ValueError: Saying why the scan gives no room.
    """
    scan = read_scan(path, options.columns, path.name)
    frame = find_frame(scan.xyz, options.unit, options.up, options.align, USUAL_UP.get(path.suffix.lower(), 'z'))
    xyz = frame.apply(scan.xyz)
    kept, boxes, counts = _boxes(path, labelled, frame, xyz, options, left_out)
    if labelled and not kept:
        raise UserError(f'none of its {len(labelled)} boxes could be used')
    rows = _rows(xyz, scan, name, options.max_points)
    write_bytes(out / POINTS / f'{name}.bin', rows.tobytes(), durable=False)
    return Room(name, path, frame, len(rows), scan.colours is not None, boxes, [box.name for box in kept], counts,
                len(xyz))


def _boxes(path: Path, labelled: list[LabelledBox], frame: ScanFrame, xyz: np.ndarray, options: Options,
           left_out: LeftOut) -> tuple[list[LabelledBox], np.ndarray, np.ndarray]:
    """The boxes that can be learnt, in the room, and how many points each holds."""
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
    """All points of a file, which indices in label files count.

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


def _rows(xyz: np.ndarray, scan: Scan, name: str, most: int) -> np.ndarray:
    """``(N, 6)`` float32 x, y, z, r, g, b; of a scan always the same points."""
    kept = slice(None)
    if 0 < most < len(xyz):
        kept = np.sort(np.random.default_rng(zlib.crc32(name.encode())).choice(len(xyz), most, replace=False))
    colours = np.full(xyz.shape, _GREY) if scan.colours is None else scan.colours
    return np.hstack([xyz[kept], colours[kept]]).astype('<f4')


def _shown(values: np.ndarray) -> str:
    return ' '.join(f'{value:.1f}' for value in values)


def class_list(rooms: list[Room], given: tuple[str, ...]) -> tuple[str, ...]:
    """Classes in the order of their labels: as given, or all that occur, by name."""
    found = {name for room in rooms for name in room.names}
    return given or tuple(sorted(found, key=lambda name: (name.lower(), name)))


def written_in_several_ways(names: Counter) -> list[str]:
    """Class names that differ only in capitals, blanks, dashes and underscores."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(''.join(each for each in name.lower() if each.isalnum()) or name, []).append(name)
    return [' and '.join(repr(name) for name in group) for group in groups.values() if len(group) > 1]
