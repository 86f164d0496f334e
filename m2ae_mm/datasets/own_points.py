"""Scans of one's own whose points have a class, in the layout that :class:`M2AESceneSegDataset` loads."""
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError
from m2ae_mm.files import load_array, load_arrays, write_bytes, write_text

from .io.clouds import check_rows, colours_of, read_columns, read_content
from .io.local import finite_rows
from .io.ply import read_ply
from .io.scans import USUAL_UP, scan_files
from .own_boxes.boxes import LeftOut
from .own_boxes.matching import check_folders
from .own_boxes.rooms import kept_points, point_rows
from .own_boxes.writer import INFOS, SPLITS, check_options, listed_scans, make_rooms, split_rooms
from .scan_frame import find_frame
from .scannet_layout import write_annotations
from .scene_segmentation import label_mapping
from .transforms.map_labels import mapped

SUFFIXES = ('.ply', '.npz', '.npy', '.txt', '.xyz')
_FOLDERS = ('points', 'semantic_mask')
# What the classes of points are called in files, CloudCompare's 'scalar_' before it left out.
_NAMES = ('label', 'labels', 'class', 'classes', 'classification', 'semantic', 'semantic_mask')


class LabelledScan(NamedTuple):
    """A scan with a value for each point, in the frame of its file: xyz ``(N, 3)`` float64, finite; r, g, b ``(N, 3)``
    uint8 or None; values ``(N,)`` int64, -1 for points without a class."""
    xyz: np.ndarray
    colours: np.ndarray | None
    values: np.ndarray


class LabelledRoom(NamedTuple):
    """What is known of a room whose points and mask are written: its scan, the name of its files, points by class."""
    scan: Path
    name: str
    counts: Counter


def create_own_points(scans: str | Path, out: str | Path, classes: Sequence[str],
                      values: Mapping[str, int] | None = None, unit: str | float | None = None, up: str | None = None,
                      align: bool = True, val_share: float = 0.2, seed: int = 0, val_list: str | Path | None = None,
                      max_points: int = 200_000) -> tuple[dict[str, list[LabelledRoom]], LeftOut]:
    """Write scans and the classes of their points: metres, z up, floor at 0, one annotation file for each split.

    Scans that cannot be used are left out and listed; the others are written.

    Args:
        scans: Folder of files as :func:`read_labelled` takes them.
        out: Folder, made if missing.
        classes: Names in the order of their labels.
        values: That they have in the scans; None for 0, 1, 2 and so on.
        unit, up, align: See :func:`find_frame`; None finds them for each scan.
        val_share: Share of the scans to validate on, drawn with ``seed``.
        val_list: Text file with the names of the scans to validate on, in place of the share.
        max_points: Points to keep of a scan; 0 keeps all.

    Returns:
        Rooms by split, and what was left out.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: For a wrong option, or if nothing is left to train and to validate on.
    """
    scans, out, left_out = Path(scans), Path(out), LeftOut()
    check_options(unit, val_share, seed, max_points)
    classes = check_class_names(classes, '--classes')
    mapping = label_mapping(classes, values, len(classes), '--classes')
    check_folders(scans, out)
    files = [path for path in scan_files(scans) if not path.resolve().is_relative_to(out.resolve())]
    listed = listed_scans(val_list, files) if val_list else None
    for folder in _FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)

    def make(path: Path, name: str) -> LabelledRoom:
        scan = read_labelled(path)
        labels = mapped(scan.values, mapping, len(scan.xyz), repr(path.name))
        frame = find_frame(scan.xyz, unit, up, align, USUAL_UP.get(path.suffix.lower(), 'z'))
        kept = kept_points(len(labels), max_points, name)
        rows = point_rows(frame.apply(scan.xyz), scan.colours, kept)
        write_bytes(out / 'points' / f'{name}.bin', rows.tobytes(), durable=False)
        write_bytes(out / 'semantic_mask' / f'{name}.bin', scan.values[kept].astype('<i8').tobytes(), durable=False)
        return LabelledRoom(path, name, Counter(labels[kept].tolist()))

    rooms = make_rooms(files, scans, left_out, make)
    split = split_rooms(rooms, val_share, seed, listed, left_out)
    numbers = dict(values or {name: label for label, name in enumerate(classes)})
    for part in SPLITS:
        entries = [dict(lidar_points=dict(num_pts_feats=6, lidar_path=f'{room.name}.bin'),
                        pts_semantic_mask_path=f'{room.name}.bin', instances=[]) for room in split[part]]
        write_annotations(out / INFOS.format(part), 'own', entries, masks=numbers)
    write_text(out / 'left_out.txt', ''.join(f'{line}\n' for line in left_out.lines()))
    return split, left_out


def summary(split: Mapping[str, Sequence[LabelledRoom]], classes: Sequence[str]) -> str:
    """A table of rooms, and points of each class, in both splits."""
    counts = {part: sum((room.counts for room in rooms), Counter()) for part, rooms in split.items()}
    rows = [('rooms', [len(rooms) for rooms in split.values()]),
            *((name, [each[label] for each in counts.values()]) for label, name in enumerate(classes)),
            ('no class', [each[len(classes)] for each in counts.values()])]
    return '\n'.join([f'{"":<20}' + ''.join(f'{part:>14}' for part in split),
                      *(f'{name:<20}' + ''.join(f'{each:>14,}' for each in row) for name, row in rows)])


def read_labelled(path: Path) -> LabelledScan:
    """A scan with a value for each point.

    PLY with a property ``label`` or ``class`` of its vertices, also as CloudCompare calls it
    (``scalar_Classification``); ``.npz`` with ``points`` and ``labels``; ``.npy`` and text with the value as the last
    column of x y z or x y z r g b.

    Raises:
        UserError: Saying why it is none.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f'files of {suffix or "no ending"} have no class for each point here; {", ".join(SUFFIXES)} do')
    if suffix in ('.ply', '.npz'):
        content = read_content(path)
        xyz, colours, values = content.points, content.colours, _named_values(path)
    else:
        rows = check_rows(load_array(path) if suffix == '.npy' else read_columns(path))
        if rows.shape[1] not in (4, 7):
            raise UserError(f'it has {rows.shape[1]} columns, and x y z label or x y z r g b label are needed')
        xyz, colours, values = rows[:, :3], colours_of(rows[:, 3:-1], len(rows)), rows[:, -1]
    if values.shape != (len(xyz), ):
        raise UserError(f'it has {len(xyz)} points and {values.size} labels')
    values = np.nan_to_num(values.astype(np.float64), nan=-1)
    if (values != np.round(values)).any() or abs(values).max() > 2**31:
        raise UserError(f'its labels are no whole numbers: {values[values != np.round(values)][:3].tolist()}')
    kept = finite_rows(xyz)
    if not kept.any():
        raise UserError('it has no point that is finite')
    return LabelledScan(xyz[kept].astype(np.float64), None if colours is None else colours[kept],
                        values[kept].astype(np.int64))


def _named_values(path: Path) -> np.ndarray:
    arrays = read_ply(path).get('vertex', {}) if path.suffix.lower() == '.ply' else load_arrays(
        path, lambda names: [name for name in names if name in _NAMES])
    for name, values in arrays.items():
        if re.sub('^scalar_', '', name.lower()) in _NAMES and isinstance(values, np.ndarray):
            if values.dtype.kind not in 'biuf':
                raise UserError(f'its {name!r} holds {values.dtype}, not numbers')
            return values
    raise UserError(f'it has no label of its points; one of {", ".join(_NAMES)} is needed')
