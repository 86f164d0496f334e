"""S3DIS from its raw release to the layout that mmdet3d's ``S3DISSegDataset`` loads."""
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from m2ae_mm.cores import in_parallel
from m2ae_mm.errors import UserError, reading, reason
from mmdet3d.datasets import S3DISSegDataset

from .io.problems import Problems
from .scannet_layout import read_record, scan_entry, write_annotations, write_scan, write_seg_info

CLASSES = S3DISSegDataset.METAINFO['classes']
AREAS = tuple(f'Area_{i}' for i in range(1, 7))
_FOLDERS = ('points', 'instance_mask', 'semantic_mask', 'scenes')
_COLUMNS = 6
_ITEM_SIZE = dict(points=4 * _COLUMNS, instance_mask=8, semantic_mask=8)
# Of a training sample, as in mmdet3d's config.
_NUM_POINTS = 4096
HELP = '''Expected, as the release Stanford3dDataset_v1.2_Aligned_Version has it:
  ROOT/Area_<1 to 6>/<room>/Annotations/<class>_<number>.txt with x y z r g b in each line
Ask the authors of S3DIS (http://buildingparser.stanford.edu) for the data. A line of Area_5/hallway_6/Annotations/\
ceiling_1.txt has a control character in place of a digit in some copies: correct it by hand.'''


def create_s3dis(root: str | Path, out: str | Path, workers: int = 0) -> dict[str, dict[str, dict[str, Any]]]:
    """Write S3DIS as mmdet3d's ``S3DISSegDataset`` loads it.

    Coordinates start at 0 in each room. Objects outside the 13 classes, as
    stairs, are clutter, as in mmdet3d. Rooms that are already there, complete,
    are kept, so an interrupted run continues where it stopped.

    Args:
        root: ``Stanford3dDataset_v1.2_Aligned_Version``, or the folder that holds it; some of the areas are enough.
        out: Folder, made if missing.
        workers: Processes; 0 takes one per core.

    Returns:
        The records of the rooms, by area and name: ``points`` and the number of points of each class.

    Raises:
        FileNotFoundError: If there is no area, or a room has no annotations.
        ValueError: If files cannot be read; all rooms that can be are written, the annotation files are not.
    """
    root, out = Path(root), Path(out)
    rooms = _find_rooms(root)
    for folder in _FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    records = {name: _read_record(out, name) for name in rooms}
    missing = {name: folder for name, folder in rooms.items() if records[name] is None}
    if len(missing) < len(rooms):
        print(f'{len(rooms) - len(missing)} of {len(rooms)} rooms are already in {str(out)!r}.')
    problems = Problems('S3DIS', HELP, place=None)
    problems.checked = len(missing)
    prepared = in_parallel(partial(_prepare, out), list(missing.items()), workers)
    for name, record, why in tqdm(prepared, 'preparing rooms', len(missing), unit='room', disable=not missing):
        records[name] = record
        if why:
            problems.add('unreadable', missing[name], why)
    problems.raise_any()
    areas = {area: {name: records[name] for name in rooms if name.startswith(area)} for area in AREAS}
    areas = {area: found for area, found in areas.items() if found}
    for area, found in areas.items():
        _write_infos(out, area, found)
    return areas


def summary(areas: dict[str, dict[str, dict[str, Any]]]) -> str:
    """A table of how many rooms, and points of each class, each area holds."""
    lines = [f'{"":<12}' + ''.join(f'{area:>13}' for area in areas),
             f'{"rooms":<12}' + ''.join(f'{len(rooms):>13,}' for rooms in areas.values())]
    for label, name in enumerate(CLASSES):
        counts = (sum(room['counts'][label] for room in rooms.values()) for rooms in areas.values())
        lines.append(f'{name:<12}' + ''.join(f'{count:>13,}' for count in counts))
    return '\n'.join(lines)


def _find_rooms(root: Path) -> dict[str, Path]:
    """Folders of all rooms by name, ``Area_1_office_1``."""
    places = [root, root / 'Stanford3dDataset_v1.2_Aligned_Version']
    base = next((place for place in places if any((place / area).is_dir() for area in AREAS)), None)
    if base is None:
        raise FileNotFoundError(f'{str(root)!r} has none of {AREAS[0]} to {AREAS[-1]}.\n{HELP}')
    rooms = {f'{area}_{room.name}': room for area in AREAS if (base / area).is_dir()
             for room in sorted((base / area).iterdir()) if room.is_dir()}
    problems = Problems('S3DIS', HELP, place=None)
    problems.checked = len(rooms)
    for room in rooms.values():
        if not any((room / 'Annotations').glob('*.txt')):
            problems.add('missing', room / 'Annotations' / '*.txt')
    problems.raise_any()
    return rooms


def read_room(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points ``(N, 6)`` float32 from 0 on, instances ``(N,)`` from 1 on and classes ``(N,)`` int64 of a room.

    Raises:
        UserError: Naming the file that cannot be read.
    """
    clouds, instances, classes = [], [], []
    for number, file in enumerate(sorted((folder / 'Annotations').glob('*.txt')), 1):
        with reading(file, 'as lines of x y z r g b', ''):
            if not file.stat().st_size:
                raise UserError('it is empty')
            cloud = np.loadtxt(file, np.float64, ndmin=2)
            if cloud.shape[1] != _COLUMNS or not np.isfinite(cloud).all():
                raise UserError(f'it has {cloud.shape[1]} columns' if cloud.shape[1] != _COLUMNS else
                                'it has numbers that are not finite')
        kind = file.stem.rpartition('_')[0]
        clouds.append(cloud)
        instances.append(np.full(len(cloud), number))
        classes.append(np.full(len(cloud), CLASSES.index(kind if kind in CLASSES else 'clutter')))
    points = np.concatenate(clouds)
    points[:, :3] -= points[:, :3].min(0)
    return points.astype(np.float32), np.concatenate(instances), np.concatenate(classes)


def _prepare(out: Path, room: tuple[str, Path]) -> tuple[str, dict[str, Any] | None, str]:
    """Name, record, and why there is none."""
    name, folder = room
    try:
        points, instance, semantic = read_room(folder)
    except Exception as error:  # whatever damage causes; the other rooms continue
        return name, None, reason(error)
    arrays = dict(points=points.astype('<f4'), instance_mask=instance.astype('<i8'),
                  semantic_mask=semantic.astype('<i8'))
    record = dict(points=len(points), counts=np.bincount(semantic, minlength=len(CLASSES)).tolist())
    return name, write_scan(out, name, arrays, record, 'scenes'), ''


def _read_record(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete room; None if anything of it is missing or cut off."""
    record = read_record(out, name, 'scenes', lambda record: {
        folder: record['points'] * size for folder, size in _ITEM_SIZE.items()}, dict(counts=list))
    return record if record and len(record['counts']) == len(CLASSES) else None


def _write_infos(out: Path, area: str, rooms: dict[str, dict[str, Any]]) -> None:
    values = {name: label for label, name in enumerate(CLASSES)}
    write_annotations(out / f's3dis_infos_{area}.pkl', 's3dis', [scan_entry(name, (), ()) for name in rooms],
                      masks=values)
    masks = [out / 'semantic_mask' / f'{name}.bin' for name in rooms]
    write_seg_info(out, area, masks, tuple(values.values()), _NUM_POINTS)
