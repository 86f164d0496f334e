"""What mmdet3d's configs for the segmentation of scenes read beside points and masks."""
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from m2ae_mm.files import write_bytes

FOLDER = 'seg_info'


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
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    _save(folder / f'{split}_resampled_scene_idxs.npy', np.repeat(np.arange(len(masks), dtype=np.int32), times))
    _save(folder / f'{split}_label_weight.npy', (1 / np.log(1.2 + shares)).astype(np.float32))


def _save(path: Path, array: np.ndarray) -> None:
    content = BytesIO()
    np.save(content, array)
    write_bytes(path, content.getvalue())
