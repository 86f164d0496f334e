"""The boxes of a sample that a picture shows."""
from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import InstanceData

from m2ae_mm.ops import box_iou_3d
from m2ae_mm.ops.boxes import suppress
from mmdet3d.structures import BaseInstance3DBoxes, Det3DDataSample

# Of two predicted boxes with a larger IoU a picture shows the one with the higher score, and likewise of two of one
# class of which the smaller lies by a larger share in the other. True boxes of a class never do so in composed rooms.
_SHOWN_OVERLAP, _SHOWN_SHARE = 0.25, 0.4


class Boxes(NamedTuple):
    """Boxes (M, 7) centre, side lengths, yaw; labels (M,); scores (M,), None for the ground truth."""
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None


def true_boxes(sample: Det3DDataSample) -> Boxes | None:
    """Boxes of the ground truth that have a class; None if the sample has none."""
    # In testing, mmdet3d hands the ground truth to the metric only.
    annotation = sample.get('eval_ann_info') or {}
    if 'gt_instances_3d' in sample and 'bboxes_3d' in sample.gt_instances_3d:
        boxes, labels = sample.gt_instances_3d.bboxes_3d, sample.gt_instances_3d.labels_3d
    elif 'gt_bboxes_3d' in annotation:
        boxes, labels = annotation['gt_bboxes_3d'], annotation['gt_labels_3d']
    else:
        return None
    labels = to_numpy(labels)
    named = labels >= 0  # -1: of a class that the data set leaves out
    return Boxes(array_of_boxes(boxes)[named], labels[named])


def shown_boxes(sample: Det3DDataSample, threshold: float = -np.inf) -> Boxes | None:
    """Predicted boxes above a score, the best of those that overlap, best first; None without predictions.

    Detectors emit a box once for each class, and perhaps several per object; a picture shows one.
    """
    if 'pred_instances_3d' not in sample:
        return None
    found: InstanceData = sample.pred_instances_3d
    likely = to_numpy(found.scores_3d) > threshold
    boxes, labels, scores = (each[likely] for each in (
        array_of_boxes(found.bboxes_3d), to_numpy(found.labels_3d), to_numpy(found.scores_3d)))
    kept = suppress(_on_one_thing(boxes, labels), torch.from_numpy(scores).float(), 1.).numpy()
    return Boxes(boxes[kept], labels[kept], scores[kept])


def _on_one_thing(boxes: np.ndarray, labels: np.ndarray) -> torch.Tensor:
    """(M, M): above 1 where two boxes overlap so much that they are taken for one object."""
    boxes = torch.from_numpy(boxes).float()
    iou, volume = box_iou_3d(boxes, boxes), boxes[:, 3:6].prod(1)
    shared = iou * (volume[:, None] + volume) / (1 + iou)
    share = shared / torch.minimum(volume[:, None], volume).clamp(min=1e-9)
    same = torch.from_numpy(labels[:, None] == labels)
    return torch.maximum(iou / _SHOWN_OVERLAP, same * share / _SHOWN_SHARE)


def array_of_boxes(boxes: BaseInstance3DBoxes) -> np.ndarray:
    """(M, 7) float64: gravity centre, sides, yaw."""
    tensor = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:6], boxes.tensor[:, 6:7]], dim=1)
    return to_numpy(tensor).astype(np.float64)


def to_numpy(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    """A tensor on any device as an array."""
    return tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
