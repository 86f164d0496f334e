"""The files of one composed room, and how they are found complete again."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .scene import Scene

FOLDERS = ('points', 'instance_mask', 'semantic_mask', 'rooms')
_ITEM_SIZE = {'points': 6 * 4, 'instance_mask': 8, 'semantic_mask': 8}


def room_id(split: str, index: int) -> str:
    return f'room_{split}_{index:05d}'


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it exists whole or not at all."""
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_room(out: Path, name: str, scene: Scene) -> dict[str, Any]:
    """Write one room; its record comes last and marks it complete.

    Returns:
        The record: number of points, type of room, boxes, labels and items.
    """
    write_atomically(out / 'points' / f'{name}.bin', scene.points.astype('<f4').tobytes())
    write_atomically(out / 'instance_mask' / f'{name}.bin', scene.instance.astype('<i8').tobytes())
    write_atomically(out / 'semantic_mask' / f'{name}.bin', scene.semantic.astype('<i8').tobytes())
    record = {'points': len(scene.points), 'kind': scene.kind, 'boxes': scene.boxes.tolist(),
              'labels': scene.labels.tolist(), 'items': list(scene.items)}
    write_atomically(out / 'rooms' / f'{name}.json', json.dumps(record).encode())
    return record


def read_room(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a complete room; ``None`` if anything of it is missing or cut off."""
    try:
        record = json.loads((out / 'rooms' / f'{name}.json').read_text())
        sizes = {folder: (out / folder / f'{name}.bin').stat().st_size for folder in _ITEM_SIZE}
    except (OSError, ValueError):
        return None
    complete = all(sizes[folder] == record['points'] * _ITEM_SIZE[folder] for folder in _ITEM_SIZE)
    return record if complete else None


def scannet_info(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """One entry of ``data_list`` as mmdet3d's ScanNetDataset reads it."""
    file = f'{name}.bin'
    return {'lidar_points': {'num_pts_feats': 6, 'lidar_path': file},
                'axis_align_matrix': [[float(i == j) for j in range(4)] for i in range(4)],
                'pts_semantic_mask_path': file, 'pts_instance_mask_path': file,
                'instances': [{'bbox_3d': box, 'bbox_label_3d': label}
                           for box, label in zip(record['boxes'], record['labels'])]}
