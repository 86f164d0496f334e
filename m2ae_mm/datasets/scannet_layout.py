"""ScanNet's layout as mmdet3d reads it: scans, annotation files, and what its segmentation configs need beside them."""
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from m2ae_mm.files import read_json, write_bytes

# The 40 classes that ScanNet's semantic masks number, as in NYU Depth V2. Of the twenty that are segmented and the
# eighteen that are detected, mmdet3d's spelling.
_NAMES = ('wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture',
          'counter', 'blinds', 'desk', 'shelves', 'curtain', 'dresser', 'pillow', 'mirror', 'floor mat', 'clothes',
          'ceiling', 'books', 'refrigerator', 'television', 'paper', 'towel', 'showercurtrain', 'box', 'whiteboard',
          'person', 'night stand', 'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'otherstructure', 'otherfurniture',
          'otherprop')
NYU40 = MappingProxyType({name: number for number, name in enumerate(_NAMES, 1)})
# What the semantic masks of a data set mean: the entry of an annotation file's metainfo, class to value.
MASK_VALUES = 'seg_categories'
SEG_INFO = 'seg_info'
Record = dict[str, Any]


def write_scan(out: Path, name: str, arrays: Mapping[str, np.ndarray], record: Record, records: str) -> Record:
    """Write a scan, each array into the folder of its name; the record comes last and marks it complete."""
    for folder, array in arrays.items():
        write_bytes(out / folder / f'{name}.bin', array.tobytes(), durable=False)
    write_bytes(out / records / f'{name}.json', json.dumps(record).encode(), durable=False)
    return record


def read_record(out: Path, name: str, records: str, sizes: Callable[[Record], Mapping[str, int]],
                kinds: Mapping[str, type]) -> Record | None:
    """The record of a complete scan; None if anything of it is missing or cut off.

    Args:
        out: Folder of the data set.
        name: Of the scan.
        records: Folder of the records.
        sizes: From a record to the bytes that the scan has in each folder.
        kinds: Of the entries that a record must have.
    """
    try:
        record = read_json(out / records / f'{name}.json', dict)
        complete = all((out / folder / f'{name}.bin').stat().st_size == size for folder, size in sizes(record).items())
        whole = all(isinstance(record[key], kind) for key, kind in kinds.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # damaged: it is made anew
        return None
    return record if complete and whole else None


def scan_entry(name: str, boxes: Sequence, labels: Sequence[int], alignment: Sequence | None = None) -> dict[str, Any]:
    """A scan in ``data_list``; the paths of masks are there for test scans, too, since the data set asks for them."""
    file = f'{name}.bin'
    return {'lidar_points': {'num_pts_feats': 6, 'lidar_path': file},
            'axis_align_matrix': np.eye(4).tolist() if alignment is None else alignment,
            'pts_semantic_mask_path': file, 'pts_instance_mask_path': file,
            'instances': [{'bbox_3d': box, 'bbox_label_3d': label} for box, label in zip(boxes, labels)]}


def write_annotations(file: Path, dataset: str, entries: Sequence[dict], classes: Sequence[str] = (),
                      masks: Mapping[str, int] | None = None, version: str = '1.1') -> None:
    """Write an annotation file.

    Args:
        file: ``.pkl``.
        dataset: Name of the data set.
        entries: Of its scans.
        classes: Of boxes, in the order of their labels.
        masks: Values in semantic masks by class, if there are any.
        version: Of the format.
    """
    metainfo: dict[str, Any] = {'dataset': dataset, 'info_version': version}
    if classes:
        metainfo['categories'] = {name: label for label, name in enumerate(classes)}
    if masks is not None:
        metainfo[MASK_VALUES] = dict(masks)
    write_bytes(file, pickle.dumps({'metainfo': metainfo, 'data_list': list(entries)}, protocol=4))


def write_seg_info(out: Path, split: str, masks: Sequence[Path], values: Sequence[int],
                   num_points: int = 8192) -> None:
    """Write ``seg_info/<split>_resampled_scene_idxs.npy`` and ``<split>_label_weight.npy``, as mmdet3d's converter.

    An epoch takes ``num_points`` from a scene as often as it has so many
    points, at least once. The weight of a class is ``1 / ln(1.2 + share)`` of
    its share of the labelled points (PointNet++).

    Args:
        out: Folder of the data set.
        split: In the names of the files.
        masks: Semantic masks of the scenes in the order of the annotation file, int64.
        values: In them, of the classes in the order of the labels.
        num_points: That a training sample has.
    """
    if not masks:
        return
    times, counts = [], np.zeros(len(values), np.int64)
    for mask in masks:
        labels = np.fromfile(mask, '<i8')
        times.append(max(round(len(labels) / num_points), 1))
        counts += [np.count_nonzero(labels == value) for value in values]
    shares = counts / max(counts.sum(), 1)
    folder = out / SEG_INFO
    folder.mkdir(exist_ok=True)
    _save(folder / f'{split}_resampled_scene_idxs.npy', np.repeat(np.arange(len(masks), dtype=np.int32), times))
    _save(folder / f'{split}_label_weight.npy', (1 / np.log(1.2 + shares)).astype(np.float32))


def _save(path: Path, array: np.ndarray) -> None:
    content = BytesIO()
    np.save(content, array)
    write_bytes(path, content.getvalue())
