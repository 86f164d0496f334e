"""The losses of 3DETR, by name (paper, section 3).

Each takes :class:`LossInputs` and returns one value per decoder layer, see
:mod:`box_losses`; the classification loss is a weighted mean over all queries.
"""
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .box_losses import angle_cls_loss, angle_reg_loss, gather_truth, giou_loss, mean_num_boxes, mean_over_boxes
from .box_targets import BoxTargets
from .detr_matcher import Assignment
from .scene_extent import SceneExtent
from .three_detr_boxes import BoxPredictions


class LossInputs(NamedTuple):
    """Predictions with the ground truth that each query is compared to.

    Attributes:
        predictions: Of all decoder layers, ``(L, B, Q, .)``.
        labels: ``(L, B, Q)`` int64, K ("no object") where unmatched.
        boxes: ``(L, B, Q, 7)`` ground-truth box; arbitrary where unmatched.
        normalized_centers: ``(L, B, Q, 3)`` its centre in shares of the extent.
        normalized_sizes: ``(L, B, Q, 3)`` its size in shares of the extent.
        matched: ``(L, B, Q)`` float, 1 where the query has a box, else 0.
        counts: ``(B,)`` boxes per cloud.
        num_boxes: Scalar, boxes of the batch, mean over processes, at least 1.
        no_object_weight: Weight of "no object" in the classification loss.
    """
    predictions: BoxPredictions
    labels: Tensor
    boxes: Tensor
    normalized_centers: Tensor
    normalized_sizes: Tensor
    matched: Tensor
    counts: Tensor
    num_boxes: Tensor
    no_object_weight: float


def gather_loss_inputs(predictions: BoxPredictions, targets: BoxTargets, assignment: Assignment, extent: SceneExtent,
                       no_object_weight: float) -> LossInputs:
    """Give every query its ground truth."""
    boxes, labels = gather_truth(targets, assignment)
    num_classes = predictions.class_logits.shape[-1] - 1
    counts = boxes.new_tensor(targets.counts)
    return LossInputs(
        predictions=predictions,
        labels=torch.where(assignment.matched, labels, num_classes),
        boxes=boxes,
        normalized_centers=extent.normalize(boxes[..., :3]),
        normalized_sizes=boxes[..., 3:6] / extent.size.unsqueeze(1),
        matched=assignment.matched.float(),
        counts=counts,
        num_boxes=mean_num_boxes(counts),
        no_object_weight=no_object_weight)


def sem_cls_loss(inputs: LossInputs) -> Tensor:
    """Cross-entropy over all queries, a weighted mean."""
    logits = inputs.predictions.class_logits
    weights = logits.new_ones(logits.shape[-1])
    weights[-1] = inputs.no_object_weight
    entropy = F.cross_entropy(logits.flatten(0, -2), inputs.labels.flatten(), weights, reduction='none')
    total = entropy.view_as(inputs.matched).sum((1, 2))
    return total / weights[inputs.labels].sum((1, 2))


def center_loss(inputs: LossInputs) -> Tensor:
    """L1 between normalised centres."""
    distance = (inputs.predictions.normalized_centers - inputs.normalized_centers).abs().sum(-1)
    return mean_over_boxes(distance, inputs)


def size_loss(inputs: LossInputs) -> Tensor:
    """L1 between normalised sizes."""
    distance = (inputs.predictions.normalized_sizes - inputs.normalized_sizes).abs().sum(-1)
    return mean_over_boxes(distance, inputs)


@torch.no_grad()
def cardinality_error(inputs: LossInputs) -> Tensor:
    """How many boxes too many or too few are predicted, per cloud. For the log."""
    logits = inputs.predictions.class_logits
    found = (logits.argmax(-1) != logits.shape[-1] - 1).sum(-1)
    return (found - inputs.counts).abs().mean(-1)


LOSSES: dict[str, Callable[[LossInputs], Tensor]] = dict(
    loss_sem_cls=sem_cls_loss,
    loss_angle_cls=angle_cls_loss,
    loss_angle_reg=angle_reg_loss,
    loss_center=center_loss,
    loss_size=size_loss,
    loss_giou=giou_loss)
