"""The files of one prepared scan, and how they are found complete again."""
from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from m2ae_mm.files import read_json, write_bytes

from .scene import Scene

RECORDS = 'scenes'
FOLDERS = ('points', 'instance_mask', 'semantic_mask', RECORDS)
_ENTRIES = dict(points=int, scanned=int, max_points=int, sizes=dict, boxes=list, labels=list, alignment=list)


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
    for folder, array in arrays.items():
        write_bytes(out / folder / f'{name}.bin', array.tobytes(), durable=False)
    record = {'points': len(arrays['points']), 'scanned': total, 'max_points': max_points,
              'sizes': {folder: array.nbytes for folder, array in arrays.items()},
              'boxes': scene.boxes.tolist(), 'labels': scene.labels, 'alignment': scene.alignment.tolist(),
              'origin': scene.origin.tolist()}
    write_bytes(out / RECORDS / f'{name}.json', json.dumps(record).encode(), durable=False)
    return record


def read_record(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete scan; ``None`` if anything of it is missing or cut off."""
    try:
        record = read_json(out / RECORDS / f'{name}.json', dict)
        complete = all((out / folder / f'{name}.bin').stat().st_size == size
                       for folder, size in record['sizes'].items())
        whole = all(isinstance(record[key], kind) for key, kind in _ENTRIES.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # damaged: it is made anew
        return None
    return record if complete and whole else None


def scannet_info(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """One entry of ``data_list`` as mmdet3d's ScanNetDataset reads it.

    The paths of masks are there for test scenes too, since the data set asks for them; the files are not.
    """
    file = f'{name}.bin'
    return {'lidar_points': {'num_pts_feats': 6, 'lidar_path': file},
            'axis_align_matrix': record['alignment'],
            'pts_semantic_mask_path': file, 'pts_instance_mask_path': file,
            'instances': [{'bbox_3d': box, 'bbox_label_3d': label}
                          for box, label in zip(record['boxes'], record['labels'])]}
