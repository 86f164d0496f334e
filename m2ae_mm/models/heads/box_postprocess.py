"""From the last layer's boxes to detections (evaluation protocol of 3DETR, V-DETR and VoteNet)."""
from typing import NamedTuple, Protocol

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from m2ae_mm.ops import points_in_boxes
from mmdet3d.structures import DepthInstance3DBoxes

# Rounds of suppression between two checks whether it has settled; at each check the host waits for a GPU.
_ROUNDS = 3


class ScoredBoxes(Protocol):
    """Predicted boxes of L decoder layers.

    Attributes:
        boxes: ``(L, B, Q, 7)`` gravity centre, size, yaw.
        class_probabilities: ``(L, B, Q, K)``.
        objectness: ``(L, B, Q)``.
        angle_logits: ``(L, B, Q, A)``; one bin means axis-aligned boxes.
    """
    boxes: Tensor
    class_probabilities: Tensor
    objectness: Tensor
    angle_logits: Tensor


class DetectionConfig(NamedTuple):
    """Options of prediction, ``test_cfg`` of the detector; the defaults are 3DETR's.

    Attributes:
        nms_thr: Of two boxes of one class whose IoU exceeds this, the one with
            the lower objectness is dropped.
        score_thr: Boxes with an objectness up to this are dropped.
        min_points: Boxes with fewer points are dropped; where all have fewer,
            the one with the highest objectness stays.
        per_class_proposal: Emit each box once per class, scored by class
            probability times objectness, as the published evaluation does;
            False emits it once, for its most probable class.
        class_agnostic: Suppress overlapping boxes of other classes, too, so that each object has one box. Not for the
            usual evaluation, in which a box counts in its own class only.
    """
    nms_thr: float = 0.25
    score_thr: float = 0.05
    min_points: int = 5
    per_class_proposal: bool = True
    class_agnostic: bool = False


def detect(predictions: ScoredBoxes, points: Tensor, config: DetectionConfig) -> list[InstanceData]:
    """Detections of every cloud.

    Args:
        predictions: Of the decoder; the last layer is used.
        points: ``(B, N, 3)`` the clouds, to find empty boxes.
        config: Options.

    Returns:
        Per cloud ``bboxes_3d``, ``scores_3d`` and ``labels_3d``; possibly none. NaN and infinite boxes are kept.
    """
    boxes = predictions.boxes[-1]
    probabilities = predictions.class_probabilities[-1]
    objectness = predictions.objectness[-1]
    filled = points_in_boxes(points, boxes).sum(1, dtype=torch.int32) >= config.min_points
    best = torch.zeros_like(filled).scatter(1, objectness.argmax(1, keepdim=True), True)
    filled |= best & ~filled.any(1, keepdim=True)
    # Boxes that are not finite stay, so that the metric can refuse them.
    broken = ~(objectness.isfinite() & boxes.isfinite().all(-1))
    kept = filled & (objectness > config.score_thr) | broken
    labels = probabilities.argmax(-1)
    if config.class_agnostic:
        labels = torch.zeros_like(labels)
    kept = class_wise_nms(boxes, objectness, labels, kept, config.nms_thr)
    rotated = predictions.angle_logits.shape[-1] > 1
    scores = probabilities * objectness.unsqueeze(-1)
    # Results of all clouds are selected at once and then split: for each selection the host waits for a GPU.
    picked = kept.nonzero(as_tuple=True)
    boxes = boxes[picked]
    # From our gravity centre to mmdet3d's bottom centre: DepthInstance3DBoxes would copy another ``origin`` from the
    # host, for every cloud.
    boxes[:, 2] -= boxes[:, 5] / 2
    found = _select(boxes, scores[picked], config.per_class_proposal)
    counts = [count * (scores.shape[-1] if config.per_class_proposal else 1) for count in kept.sum(1).tolist()]
    return [InstanceData(bboxes_3d=DepthInstance3DBoxes(boxes, box_dim=7, with_yaw=rotated), scores_3d=scores,
                         labels_3d=labels) for boxes, scores, labels in zip(*(each.split(counts) for each in found))]


def class_wise_nms(boxes: Tensor, scores: Tensor, labels: Tensor, candidates: Tensor, threshold: float) -> Tensor:
    """Greedy suppression within each class, batched.

    Overlap is that of the boxes' hulls along the axes, also for rotated boxes,
    as published.

    Args:
        boxes: ``(B, Q, 7)``.
        scores: ``(B, Q)``; of equal scores the lower index is better.
        labels: ``(B, Q)`` int64.
        candidates: ``(B, Q)`` bool, ``True`` = takes part.
        threshold: IoU above which the lower-scored box is dropped.

    Returns:
        ``(B, Q)`` bool, ``True`` = kept.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    boxes, labels = boxes.take_along_dim(order.unsqueeze(-1), 1), labels.gather(1, order)
    overlapping = hull_iou(boxes) > threshold
    overlapping &= labels.unsqueeze(1) == labels.unsqueeze(2)
    # suppresses[b, i, j]: i drops j if i itself is kept.
    suppresses = overlapping.triu(diagonal=1)
    candidates = candidates.gather(1, order)
    # The greedy result is the one set in which a candidate is kept if and only
    # if no kept better one suppresses it. Repeating that rule settles the j-th
    # best box after j rounds at the latest, in practice after a handful.
    kept = candidates
    while True:
        for _ in range(_ROUNDS):
            before, kept = kept, candidates & ~(suppresses & kept.unsqueeze(2)).any(1)
        if torch.equal(before, kept):
            break
    return torch.zeros_like(kept).scatter(1, order, kept)


def hull_iou(boxes: Tensor) -> Tensor:
    """``(B, Q, Q)`` IoU of the axis-aligned hulls of ``(B, Q, 7)`` boxes."""
    cos, sin = boxes[..., 6].cos().abs(), boxes[..., 6].sin().abs()
    dx, dy, dz = boxes[..., 3:6].unbind(-1)
    half = torch.stack([dx * cos + dy * sin, dx * sin + dy * cos, dz], -1) / 2
    low, high = boxes[..., :3] - half, boxes[..., :3] + half
    shared = torch.minimum(high.unsqueeze(2), high.unsqueeze(1)) - torch.maximum(low.unsqueeze(2), low.unsqueeze(1))
    intersection = shared.clamp(min=0).prod(-1)
    volume = (high - low).prod(-1)
    union = volume.unsqueeze(2) + volume.unsqueeze(1) - intersection
    return intersection / union.clamp(min=1e-8)


def _select(boxes: Tensor, scores: Tensor, per_class: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and labels of the results from ``(M, 7)`` boxes with ``(M, K)`` scores."""
    count, num_classes = scores.shape
    if not per_class:
        return boxes, *scores.max(1)
    labels = torch.arange(num_classes, device=boxes.device).repeat(count)
    return boxes.repeat_interleave(num_classes, 0), scores.flatten(), labels
