"""Compose many rooms in parallel and write them in ScanNet's layout."""
import csv
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from m2ae_mm.cores import in_parallel
from m2ae_mm.files import read_json, write_bytes, write_json

from ..scannet_layout import NYU40, read_record, scan_entry, write_annotations, write_scan, write_seg_info
from .furniture import ASSET, CLASS_NYU40, CLASSES, load_furniture
from .scan import PROFILES
from .scene import compose_scene

# Raised whenever equal settings would give other rooms than before.
_VERSION = 2
SETTINGS = 'rooms.json'
_SPLITS = ('train', 'val')
FOLDERS = ('points', 'instance_mask', 'semantic_mask', 'rooms')
_ITEM_SIZE = {'points': 6 * 4, 'instance_mask': 8, 'semantic_mask': 8}


def room_id(split: str, index: int) -> str:
    return f'room_{split}_{index:05d}'


def create_rooms(out: str | Path, train: int, val: int, points: int = 20000, seed: int = 0, profile: str = 'normal',
                 workers: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Write composed rooms that mmdet3d's ``ScanNetDataset`` loads.

    Rooms that are already there, complete and made with the same settings,
    are kept; so an interrupted run continues where it stopped, and more rooms can
    be added later.

    Args:
        out: Folder, made if missing.
        train, val: Number of rooms per split.
        points: Most points per room.
        seed: Equal seeds give equal rooms, whatever the number of workers.
        profile: ``'normal'`` or ``'hard'``.
        workers: Processes; 0 takes one per core.

    Returns:
        The records of the rooms per split.

    Raises:
        ValueError: For a wrong option, or a folder with rooms of other settings.
        OSError: If the folder cannot be written.
    """
    _check_options(train, val, points, seed, profile, workers)
    out = Path(out)
    settings = {'version': _VERSION, 'seed': seed, 'points': points, 'profile': profile}
    _claim(out, settings)
    counts = {'train': train, 'val': val}
    records = {(split, i): read_room(out, room_id(split, i)) for split in _SPLITS for i in range(counts[split])}
    missing = [key for key, record in records.items() if record is None]
    if len(missing) < len(records):
        print(f'{len(records) - len(missing)} of {len(records)} rooms are already in {str(out)!r}.')
    make = partial(_make_room, out, points, seed, profile)
    records.update(tqdm(in_parallel(make, missing, workers, first_alone=True), desc='composing rooms',
                        total=len(missing), unit='room', mininterval=1, disable=not missing))
    result = {split: [records[split, i] for i in range(counts[split])] for split in _SPLITS}
    for split in _SPLITS:
        _write_infos(out, split, result[split])
    _write_readme(out, settings, counts)
    return result


def summary(result: dict[str, list[dict[str, Any]]]) -> str:
    """A table of how many boxes of each class the rooms hold, and what the splits share."""
    boxes = {split: Counter(label for record in result[split] for label in record['labels']) for split in _SPLITS}
    lines = [f'{"boxes of class":<16}{"train":>8}{"val":>8}']
    lines += [f'{name:<16}{boxes["train"][i]:>8}{boxes["val"][i]:>8}' for i, name in enumerate(CLASSES)]
    shared = ', '.join(load_furniture().shared_classes())
    lines.append(f'Train and val rooms use different furniture; only {shared} have a single item, used by both.')
    return '\n'.join(lines)


def _check_options(train: int, val: int, points: int, seed: int, profile: str, workers: int) -> None:
    for name, value, least in (('train', train, 0), ('val', val, 0), ('points', points, 100), ('seed', seed, 0),
                               ('workers', workers, 0)):
        if value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}.')
    if train + val == 0:
        raise ValueError('train and val are both 0: nothing to compose. Ask for at least one room.')
    if profile not in PROFILES:
        raise ValueError(f'profile must be one of {", ".join(PROFILES)}, got {profile!r}.')


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or make sure that its rooms have these settings."""
    file = out / SETTINGS
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        write_json(file, settings)
    existing = read_json(file, dict, 'Choose another --out, or delete that folder.')
    if existing != settings:
        differences = ', '.join(f'{key} {existing.get(key)!r} there, {settings[key]!r} asked for'
                                for key in settings if existing.get(key) != settings[key])
        raise ValueError(f'{str(out)!r} holds rooms made with other settings ({differences}); they are not mixed. '
                         'Choose another --out, ask for the same settings, or delete that folder.')


def _make_room(out: Path, points: int, seed: int, profile: str, key: tuple[str, int]):
    split, index = key
    scene = compose_scene(split, index, seed, points, profile)
    record = {'points': len(scene.points), 'kind': scene.kind, 'boxes': scene.boxes.tolist(),
              'labels': scene.labels.tolist(), 'items': list(scene.items)}
    arrays = {'points': scene.points.astype('<f4'), 'instance_mask': scene.instance.astype('<i8'),
              'semantic_mask': scene.semantic.astype('<i8')}
    return key, write_scan(out, room_id(split, index), arrays, record, FOLDERS[-1])


def read_room(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete room; None if anything of it is missing or cut off."""
    return read_record(out, name, FOLDERS[-1], lambda record: {
        folder: record['points'] * size for folder, size in _ITEM_SIZE.items()},
        dict(boxes=list, labels=list, items=list))


def _write_infos(out: Path, split: str, records: list[dict[str, Any]]) -> None:
    names = [room_id(split, i) for i in range(len(records))]
    entries = [scan_entry(name, record['boxes'], record['labels']) for name, record in zip(names, records)]
    write_annotations(out / f'scannet_infos_{split}.pkl', 'scannet', entries, CLASSES, NYU40, '1.0')
    masks = [out / 'semantic_mask' / f'{name}.bin' for name in names]
    write_seg_info(out, split, masks, (NYU40['wall'], NYU40['floor'], *CLASS_NYU40))


def _write_readme(out: Path, settings: dict[str, Any], counts: dict[str, int]) -> None:
    command = ' '.join(['m2ae rooms', f'--out {out}', *(f'--{s} {n}' for s, n in counts.items()),
                        *(f'--{key} {settings[key]}' for key in ('points', 'seed', 'profile'))])
    with open(ASSET.with_name('FURNITURE_CREDITS.tsv'), newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    credits = '\n'.join(f'{row["name"]} by {row["author"]}, {row["licence"]} {row["source"]}'.rstrip() for row in rows)
    notice = ASSET.with_name('FURNITURE_NOTICE.md').read_text(encoding='utf-8')
    text = ('Composed rooms in the layout of ScanNet as prepared for mmdet3d. These are not real scans.\n\n'
            f'{command}\n\n'
            'points/*.bin: float32 x y z (metres, z up, floor at 0) r g b (0..255)\n'
            'instance_mask/*.bin: int64, 0 background, 1.. objects\n'
            'semantic_mask/*.bin: int64 NYU40 ids, 0 not annotated; garbagebin is 39, ScanNet\'s otherfurniture\n'
            'seg_info/*.npy: scenes by their number of points, and weights of the 20 classes, for segmentation\n'
            'rooms/*.json: boxes, labels, type of room and furniture of each room\n\n'
            f'{notice}\n## Credits of the furniture\n\n{credits}\n')
    write_bytes(out / 'README.txt', text.encode('utf-8'))
