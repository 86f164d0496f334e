"""The files of one composed room, and how they are found complete again."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from m2ae_mm.files import read_json, write_bytes

from .scene import Scene

FOLDERS = ('points', 'instance_mask', 'semantic_mask', 'rooms')
_ITEM_SIZE = {'points': 6 * 4, 'instance_mask': 8, 'semantic_mask': 8}


def room_id(split: str, index: int) -> str:
    return f'room_{split}_{index:05d}'


def write_room(out: Path, name: str, scene: Scene) -> dict[str, Any]:
    """Write one room; its record comes last and marks it complete.

    Returns:
        The record: number of points, type of room, boxes, labels and items.
    """
    write_bytes(out / 'points' / f'{name}.bin', scene.points.astype('<f4').tobytes(), durable=False)
    write_bytes(out / 'instance_mask' / f'{name}.bin', scene.instance.astype('<i8').tobytes(), durable=False)
    write_bytes(out / 'semantic_mask' / f'{name}.bin', scene.semantic.astype('<i8').tobytes(), durable=False)
    record = {'points': len(scene.points), 'kind': scene.kind, 'boxes': scene.boxes.tolist(),
              'labels': scene.labels.tolist(), 'items': list(scene.items)}
    write_bytes(out / 'rooms' / f'{name}.json', json.dumps(record).encode(), durable=False)
    return record


def read_room(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete room; ``None`` if anything of it is missing or cut off."""
    try:
        record = read_json(out / 'rooms' / f'{name}.json', dict)
        complete = all((out / folder / f'{name}.bin').stat().st_size == record['points'] * size
                       for folder, size in _ITEM_SIZE.items())
        whole = all(isinstance(record[key], list) for key in ('boxes', 'labels', 'items'))
    except (OSError, ValueError, LookupError, TypeError):  # damaged: it is made anew
        return None
    return record if complete and whole else None


def scannet_info(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """One entry of ``data_list`` as mmdet3d's ScanNetDataset reads it."""
    file = f'{name}.bin'
    return {'lidar_points': {'num_pts_feats': 6, 'lidar_path': file},
                'axis_align_matrix': [[float(i == j) for j in range(4)] for i in range(4)],
                'pts_semantic_mask_path': file, 'pts_instance_mask_path': file,
                'instances': [{'bbox_3d': box, 'bbox_label_3d': label}
                           for box, label in zip(record['boxes'], record['labels'])]}
