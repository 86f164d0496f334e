"""The losses of 3DETR, by name (paper, section 3).

Every loss takes :class:`LossInputs` and returns one value per decoder layer,
``(L,)``, so that all layers are computed in one pass. All but the
classification loss are sums over matched queries divided by the number of
boxes; without boxes they are 0 and still connected to the network.
"""
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from m2ae_mm.ops import box_giou_3d, gather

from .three_detr_boxes import BoxPredictions, SceneExtent, encode_yaw
from .three_detr_matcher import Assignment
from .three_detr_targets import BoxTargets


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
    layers, batch, num_queries = assignment.gt_index.shape
    # One row of indices per cloud: the layers' queries side by side.
    index = assignment.gt_index.transpose(0, 1).reshape(batch, -1)
    boxes = gather(targets.boxes, index).view(batch, layers, num_queries, 7).transpose(0, 1)
    labels = targets.labels.gather(1, index).view(batch, layers, num_queries).transpose(0, 1)
    num_classes = predictions.class_logits.shape[-1] - 1
    counts = boxes.new_tensor(targets.counts)
    num_boxes = counts.sum()
    all_reduce(num_boxes, op='mean')
    return LossInputs(
        predictions=predictions,
        labels=torch.where(assignment.matched, labels, num_classes),
        boxes=boxes,
        normalized_centers=extent.normalize(boxes[..., :3]),
        normalized_sizes=boxes[..., 3:6] / extent.size.unsqueeze(1),
        matched=assignment.matched.float(),
        counts=counts,
        num_boxes=num_boxes.clamp(min=1),
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
    return _mean_over_boxes(distance, inputs)


def size_loss(inputs: LossInputs) -> Tensor:
    """L1 between normalised sizes."""
    distance = (inputs.predictions.normalized_sizes - inputs.normalized_sizes).abs().sum(-1)
    return _mean_over_boxes(distance, inputs)


def giou_loss(inputs: LossInputs) -> Tensor:
    """1 - generalised IoU."""
    predictions = inputs.predictions
    rotated = predictions.angle_logits.shape[-1] > 1
    giou = box_giou_3d(predictions.boxes.unsqueeze(-2), inputs.boxes.unsqueeze(-2), rotated)
    return _mean_over_boxes(1 - giou[..., 0, 0], inputs)


def angle_cls_loss(inputs: LossInputs) -> Tensor:
    """Cross-entropy of the angle bin."""
    logits = inputs.predictions.angle_logits
    bins, _ = encode_yaw(inputs.boxes[..., 6], logits.shape[-1])
    entropy = F.cross_entropy(logits.flatten(0, -2), bins.flatten(), reduction='none')
    return _mean_over_boxes(entropy.view_as(inputs.matched), inputs)


def angle_reg_loss(inputs: LossInputs) -> Tensor:
    """Huber loss of the residual in the true bin."""
    residuals = inputs.predictions.angle_residuals
    bins, target = encode_yaw(inputs.boxes[..., 6], residuals.shape[-1])
    predicted = residuals.gather(-1, bins.unsqueeze(-1)).squeeze(-1)
    return _mean_over_boxes(F.huber_loss(predicted, target, reduction='none'), inputs)


def _mean_over_boxes(values: Tensor, inputs: LossInputs) -> Tensor:
    """Sum ``(L, B, Q)`` values of matched queries over the number of boxes."""
    return (values * inputs.matched).sum((1, 2)) / inputs.num_boxes


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
