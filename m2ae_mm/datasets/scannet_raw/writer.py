"""Prepare many scans in parallel."""
import zlib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from m2ae_mm.cores import in_parallel
from m2ae_mm.errors import reason
from mmdet3d.datasets import ScanNetDataset, ScanNetSegDataset

from ..io.problems import Problems
from ..scannet_layout import NYU40, read_record, scan_entry, write_annotations, write_scan, write_seg_info
from .layout import HELP, RawScene, find_labels, find_scenes, read_labels
from .scene import Scene, read_scene

CLASSES = ScanNetDataset.METAINFO['classes']
Records = dict[str, dict[str, dict[str, Any]]]
RECORDS = 'scenes'
FOLDERS = ('points', 'instance_mask', 'semantic_mask', RECORDS)
_ENTRIES = dict(points=int, scanned=int, max_points=int, sizes=dict, boxes=list, labels=list, alignment=list)


def create_scannet(root: str | Path, out: str | Path, workers: int = 0, splits: str | Path | None = None,
                   labels: str | Path | None = None, max_points: int = 0, skip_incomplete: bool = False) -> Records:
    """Write ScanNetV2 as mmdet3d's ``ScanNetDataset`` and ``ScanNetSegDataset`` load it.

    Scans that are already there, complete, are kept, so an interrupted run
    continues where it stopped; delete ``out`` to begin anew, say after getting a file
    again. Scans that cannot be read are all reported at the end; the
    annotation files are written only if there is none.

    Args:
        root: The release's ``scans/``, or the folder that holds it.
        out: Folder, made if missing.
        workers: Processes; 0 takes one per core.
        splits: Folder with ``scannetv2_{train,val,test}.txt``; ``root`` if None.
        labels: ``scannetv2-labels.combined.tsv``; searched in and beside ``root`` if None.
        max_points: Keep this many points of a scan; 0 keeps all.
        skip_incomplete: Leave out scans with missing or damaged files.

    Returns:
        The records of the scans, by split and name.

    Raises:
        FileNotFoundError: If files are missing; all are counted, some named.
        ValueError: For a wrong option, damaged or contradicting files, or a
            folder that was prepared with another ``max_points``.
        OSError: If the folder cannot be made.
    """
    if max_points < 0 or workers < 0:
        raise ValueError(f'max_points and workers must be at least 0, got {max_points} and {workers}.')
    root, out = Path(root), Path(out)
    scenes = find_scenes(root, Path(splits) if splits else root)
    nyu40 = read_labels(find_labels(root, Path(labels) if labels else None))
    scenes = _complete(scenes, skip_incomplete)
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    records = {split: {raw.name: read_scan(out, raw.name) for raw in raws} for split, raws in scenes.items()}
    _check_cap(out, records, max_points)
    missing = {raw.name: (split, raw) for split, raws in scenes.items() for raw in raws
               if records[split][raw.name] is None}
    total = sum(map(len, scenes.values()))
    if len(missing) < total:
        print(f'{total - len(missing)} of {total} scans are already in {str(out)!r}.')
    problems = Problems('ScanNetV2', HELP, place=None)
    problems.checked = len(missing)
    raws = [raw for _, raw in missing.values()]
    prepared = in_parallel(partial(_prepare, out, nyu40, max_points), raws, workers)
    for name, record, why in tqdm(prepared, 'preparing scans', len(missing), unit='scan', disable=not missing):
        split, raw = missing[name]
        records[split][name] = record
        if why:
            problems.add('unreadable', raw.folder, why)
    if not skip_incomplete:
        problems.raise_any()
    for split, scans in records.items():
        whole = {name: record for name, record in scans.items() if record is not None}
        if not whole:
            problems.raise_any()
        records[split] = whole
    for line in problems.lines():
        print(f'left out: {line}')
    for split in records:
        _write_infos(out, split, records[split])
    return records


def summary(records: Records) -> str:
    """A table of how many scans, points and boxes of each class each split holds."""
    header = ''.join(f'{split:>12}' for split in records)
    lines = [f'{"":<16}{header}', _row('scans', [len(scans) for scans in records.values()])]
    for what, pick in (('fewest points', min), ('most points', max)):
        lines.append(_row(what, [pick(record['points'] for record in scans.values()) for scans in records.values()]))
    counts = [Counter(label for record in scans.values() for label in record['labels']) for scans in records.values()]
    lines += [_row(name, [count[label] for count in counts]) for label, name in enumerate(CLASSES)]
    return '\n'.join(lines)


def _row(name: str, values: list[int]) -> str:
    return f'{name:<16}' + ''.join(f'{value:>12,}' for value in values)


def _complete(scenes: dict[str, list[RawScene]], skip_incomplete: bool) -> dict[str, list[RawScene]]:
    """The scans whose files are all there; others are an error, or with ``skip_incomplete`` a message."""
    problems = Problems('ScanNetV2', HELP, place=None)
    lacking = {raw for raws in scenes.values() for raw in raws for path in raw.files if not problems.check_file(path)}
    if not skip_incomplete:
        problems.raise_any()
    complete = {split: [raw for raw in raws if raw not in lacking] for split, raws in scenes.items()}
    complete = {split: raws for split, raws in complete.items() if raws}
    if not complete:
        problems.raise_any()
    for split, raws in scenes.items():
        left_out = len(raws) - len(complete.get(split, []))
        if left_out:
            print(f'{left_out} of {len(raws)} {split} scans lack files and are left out.')
    return complete


def _check_cap(out: Path, records: Records, max_points: int) -> None:
    """A folder holds scans of one cap only."""
    other = {record['max_points'] for scans in records.values() for record in scans.values() if record} - {max_points}
    if other:
        raise ValueError(f'{str(out)!r} holds scans prepared with --max-points {other.pop()}, {max_points} asked for '
                         '(0 keeps all points); they are not mixed. Choose another --out, or delete that folder.')


def _prepare(out: Path, nyu40: dict[str, int], max_points: int, raw: RawScene):
    """Name, record, and why there is none."""
    try:
        scene = read_scene(raw, nyu40)
    except Exception as error:  # whatever damage causes; the other scans continue
        return raw.name, None, reason(error)
    return raw.name, write_scene(out, raw.name, scene, max_points), ''


def write_scene(out: Path, name: str, scene: Scene, max_points: int) -> dict[str, Any]:
    """Write one scan; its record comes last and marks it complete.

    Args:
        out: Folder with the :data:`FOLDERS`.
        name: Of the scan.
        scene: From :func:`read_scene`.
        max_points: Keep this many points, drawn at random without
            replacement, the same in every run; 0 keeps all.

    Returns:
        The record: points written and scanned, boxes, labels, alignment, origin.
    """
    total = len(scene.points)
    kept = slice(None)
    if 0 < max_points < total:
        kept = np.sort(np.random.default_rng(zlib.crc32(name.encode())).choice(total, max_points, replace=False))
    arrays = {'points': scene.points[kept].astype('<f4')}
    if scene.instance is not None:
        arrays['instance_mask'] = scene.instance[kept].astype('<i8')
        arrays['semantic_mask'] = scene.semantic[kept].astype('<i8')
    record = {'points': len(arrays['points']), 'scanned': total, 'max_points': max_points,
              'sizes': {folder: array.nbytes for folder, array in arrays.items()},
              'boxes': scene.boxes.tolist(), 'labels': scene.labels, 'alignment': scene.alignment.tolist(),
              'origin': scene.origin.tolist()}
    return write_scan(out, name, arrays, record, RECORDS)


def read_scan(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete scan; None if anything of it is missing or cut off."""
    return read_record(out, name, RECORDS, lambda record: record['sizes'], _ENTRIES)


def _write_infos(out: Path, split: str, records: dict[str, dict[str, Any]]) -> None:
    entries = [scan_entry(name, record['boxes'], record['labels'], record['alignment'])
               for name, record in records.items()]
    write_annotations(out / f'scannet_infos_{split}.pkl', 'scannet', entries, CLASSES, NYU40)
    masks = [out / 'semantic_mask' / f'{name}.bin' for name, record in records.items()
             if 'semantic_mask' in record['sizes']]
    write_seg_info(out, split, masks, ScanNetSegDataset.METAINFO['seg_valid_class_ids'])
