"""Makes a data set of rooms from scans and label files."""
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import read_text, write_text

from ..scan_frame import LEAST_POINTS, scale_of
from ..scannet_layout import scan_entry, write_annotations
from .boxes import TILT, LeftOut
from .matching import find_labels, find_scans, read_labels
from .rooms import POINTS, Options, Room, class_list, make_room

INFOS = 'infos_{}.pkl'
SPLITS = ('train', 'val')


class Prepared(NamedTuple):
    """What was written.

    Attributes:
        out: The folder.
        rooms: Of each split.
        classes: In the order of their labels.
        rotated: Whether boxes have a yaw.
        left_out: What was left out, with the reasons.
    """
    out: Path
    rooms: dict[str, list[Room]]
    classes: tuple[str, ...]
    rotated: bool
    left_out: LeftOut


def create_own_boxes(scans: str | Path, labels: str | Path, out: str | Path, unit: str | float | None = None,
                     up: str | None = None, align: bool = True, columns: int | None = None,
                     angles: str | None = None, classes: Sequence[str] = (), val_share: float = 0.2, seed: int = 0,
                     val_list: str | Path | None = None, max_points: int = 200_000) -> Prepared:
    """Write scans and their boxes for :class:`M2AESceneDataset`: metres, z up, floor at 0.

    Files, scans and boxes that cannot be used are left out and listed; the others are written.

    Args:
        scans: Folder of scans, see :func:`read_scan`.
        labels: Folder of label files, which may be that of the scans, or one file.
        out: Folder, made if missing.
        unit, up: Of the scans and boxes, see :func:`find_frame`; None infers them for each scan.
        align: Whether walls are turned parallel to the axes, where boxes turn with them.
        columns: Numbers for each point in ``.bin`` files; None infers them.
        angles: Unit of labelCloud's rotations, ``'deg'`` or ``'rad'``; None infers it.
        classes: The classes to keep, in the order of their labels; empty for all.
        val_share: Share of the scans to validate on, drawn with ``seed``.
        val_list: Text file with the names of the scans to validate on, in place of the share.
        max_points: Points to keep of a scan; 0 keeps all.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: For a wrong option, or if nothing is left to train and to validate on.
    """
    scans, labels, out = Path(scans), Path(labels), Path(out)
    check_options(unit, val_share, seed, max_points, angles)
    classes, left_out = check_class_names(classes, '--classes'), LeftOut()
    files = find_scans(scans, labels, out)
    validation = listed_scans(val_list, files) if val_list else None
    boxes = read_labels(find_labels(labels, files, out, left_out), files, scans, left_out, angles)
    options = Options(unit, up, align and any(box.allows_alignment for each in boxes.values() for box in each), columns,
                      max_points, classes)
    (out / POINTS).mkdir(parents=True, exist_ok=True)
    rooms = make_rooms(list(boxes), scans, left_out, lambda path, name: make_room(
        path, name, boxes[path], out, options, left_out))
    classes = class_list(rooms, classes)
    if not classes:
        raise UserError(_explain('box', left_out))
    rotated = any(np.abs(room.boxes[:, 6]).max(initial=0) > TILT for room in rooms)
    split = split_rooms(rooms, val_share, seed, validation, left_out)
    for name in SPLITS:
        _write_infos(out, name, split[name], classes, rotated)
    write_text(out / 'left_out.txt', ''.join(f'{line}\n' for line in left_out.lines()))
    write_text(out / 'rooms.json', json.dumps(
        dict(classes=classes, rotated=rotated, rooms={
            room.name: dict(scan=str(room.scan), split=name, **room.frame.describe()) for name in SPLITS
            for room in split[name]}), indent=1))
    return Prepared(out, split, classes, rotated, left_out)


def check_options(unit, val_share: float, seed: int, max_points: int, angles: str | None = None) -> None:
    """Raise a ``UserError`` that names the first invalid option."""
    if unit is not None:
        scale_of(unit)
    if not 0 < val_share < 1:
        raise UserError(f'--val-share must be between 0 and 1, got {val_share}.')
    if seed < 0:
        raise UserError(f'--seed must be 0 or more, got {seed}.')
    if max_points < 0 or 0 < max_points < LEAST_POINTS:
        raise UserError(f'--max-points must be 0, which keeps all, or {LEAST_POINTS} or more, got {max_points}.')
    if angles not in (None, 'deg', 'rad'):
        raise UserError(f"--angles must be 'deg' or 'rad', got {angles!r}.")


def listed_scans(path: str | Path, scans: list[Path]) -> set[Path]:
    """The scans named in a list, by stem or file name.

    Raises:
        UserError: If one of them does not exist.
    """
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    found = {name: [scan for scan in scans if name in (scan.name, scan.stem)] for name in names}
    unknown = [name for name, each in found.items() if not each]
    if unknown or not names:
        raise UserError(f'{str(path)!r} lists {", ".join(unknown[:5]) or "nothing"}, and there is no such scan. A line '
                        'is the name of a scan, with or without its ending.')
    return {scan for each in found.values() for scan in each}


def make_rooms(files: Sequence[Path], scans: Path, left_out: LeftOut, make: Callable[[Path, str], Any]) -> list:
    """What ``make`` returns for each file and its unique name; files that it refuses are recorded as left out.

    Raises:
        UserError: If fewer than two remain.
    """
    rooms, names = [], _names(files, scans)
    for path in tqdm(files, desc='preparing scans', unit='scan', disable=len(files) < 2):
        try:
            rooms.append(make(path, names[path]))
        except (ValueError, OSError, MemoryError) as error:
            left_out.add(path.name, reason(error))
    if len(rooms) < 2:
        raise UserError(_explain('room', left_out) if not rooms else
                        f'{rooms[0].scan.name!r} is the only room: one is needed to train on and one to validate on. '
                        + _explain('', left_out))
    return rooms


def _explain(what: str, left_out: LeftOut) -> str:
    """Says that there is no ``what``, if that is given, and what was left out."""
    start = f'there is no {what} to train on. ' if what else ''
    return f'{start}Left out:\n' + '\n'.join(f'  {line}' for line in left_out.lines()[:20]) if left_out else start


def _names(files: Sequence[Path], scans: Path) -> dict[Path, str]:
    """A unique name for the files of each scan."""
    names: dict[Path, str] = {}
    for path in files:
        inner = path.relative_to(scans).with_suffix('') if path != scans else Path(path.stem)
        plain = re.sub(r'[^\w.-]', '_', '_'.join(inner.parts))
        name = next(each for each in (plain, *(f'{plain}_{number}' for number in range(2, len(files) + 2)))
                    if each not in names.values())
        names[path] = name
    return names


def split_rooms(rooms: list, share: float, seed: int, listed: set[Path] | None, left_out: LeftOut) -> dict[str, list]:
    """Rooms (objects with a ``scan``) to train and to validate on; equal seeds give equal splits.

    Raises:
        UserError: If a split is empty.
    """
    if listed is None:
        count = min(max(1, round(share * len(rooms))), len(rooms) - 1)
        chosen = set(np.random.default_rng(seed).permutation(len(rooms))[:count].tolist())
        listed = {rooms[number].scan for number in chosen}
    split = dict(train=[room for room in rooms if room.scan not in listed],
                 val=[room for room in rooms if room.scan in listed])
    for name, each in split.items():
        if not each:
            raise UserError(f'no room is left to {dict(train="train", val="validate")[name]} on. '
                            + _explain('', left_out))
    return split


def _write_infos(out: Path, split: str, rooms: list[Room], classes: tuple[str, ...], rotated: bool) -> None:
    numbers = {name: label for label, name in enumerate(classes)}
    entries = [scan_entry(room.name, room.boxes[:, :7 if rotated else 6].tolist(),
                          [numbers[name] for name in room.names]) for room in rooms]
    for entry in entries:
        del entry['pts_semantic_mask_path'], entry['pts_instance_mask_path']
    write_annotations(out / INFOS.format(split), 'own', entries, classes)
