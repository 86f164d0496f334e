"""Losses of matched boxes that 3DETR and V-DETR share.

Every loss takes :class:`MatchedBoxes` and returns one value per decoder layer,
``(L,)``, so that all layers are computed in one pass: a sum over matched
queries divided by the number of boxes. Without boxes it is 0 and still
connected to the network.
"""
from typing import Protocol

import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from m2ae_mm.ops import box_giou_3d, gather

from .box_angles import encode_yaw
from .box_targets import BoxTargets
from .detr_matcher import Assignment


class BoxesOfLayers(Protocol):
    """Predicted boxes of L decoder layers.

    Attributes:
        boxes: ``(L, B, Q, 7)`` gravity centre, size, yaw.
        angle_logits: ``(L, B, Q, A)``; one bin means axis-aligned boxes.
        angle_residuals: ``(L, B, Q, A)`` offset from each bin's centre over half a bin.
    """
    boxes: Tensor
    angle_logits: Tensor
    angle_residuals: Tensor


class MatchedBoxes(Protocol):
    """Predictions with the ground truth that each query is compared to.

    Attributes:
        predictions: Of L decoder layers.
        boxes: ``(L, B, Q, 7)`` ground-truth box; arbitrary where unmatched.
        matched: ``(L, B, Q)`` float, 1 where the query has a box, else 0.
        num_boxes: Scalar, what sums are divided by.
    """
    predictions: BoxesOfLayers
    boxes: Tensor
    matched: Tensor
    num_boxes: Tensor


def gather_truth(targets: BoxTargets, assignment: Assignment) -> tuple[Tensor, Tensor]:
    """Boxes ``(L, B, Q, 7)`` and labels ``(L, B, Q)`` that each query is assigned; arbitrary where it has none."""
    layers, batch, num_queries = assignment.gt_index.shape
    # One row of indices per cloud: the layers' queries side by side.
    index = assignment.gt_index.transpose(0, 1).reshape(batch, -1)
    boxes = gather(targets.boxes, index).view(batch, layers, num_queries, 7).transpose(0, 1)
    labels = targets.labels.gather(1, index).view(batch, layers, num_queries).transpose(0, 1)
    return boxes, labels


def mean_num_boxes(counts: Tensor) -> Tensor:
    """Boxes of a batch with ``(B,)`` counts, mean over processes, at least 1."""
    num_boxes = counts.sum()
    all_reduce(num_boxes, op='mean')
    return num_boxes.clamp(min=1)


def mean_over_boxes(values: Tensor, inputs: MatchedBoxes) -> Tensor:
    """Sum ``(L, B, Q)`` values of matched queries over the number of boxes."""
    return (values * inputs.matched).sum((1, 2)) / inputs.num_boxes


def giou_loss(inputs: MatchedBoxes) -> Tensor:
    """1 - generalised IoU."""
    predictions = inputs.predictions
    rotated = predictions.angle_logits.shape[-1] > 1
    giou = box_giou_3d(predictions.boxes.unsqueeze(-2), inputs.boxes.unsqueeze(-2), rotated)
    return mean_over_boxes(1 - giou[..., 0, 0], inputs)


def angle_cls_loss(inputs: MatchedBoxes) -> Tensor:
    """Cross-entropy of the angle bin."""
    logits = inputs.predictions.angle_logits
    bins, _ = encode_yaw(inputs.boxes[..., 6], logits.shape[-1])
    entropy = F.cross_entropy(logits.flatten(0, -2), bins.flatten(), reduction='none')
    return mean_over_boxes(entropy.view_as(inputs.matched), inputs)


def angle_reg_loss(inputs: MatchedBoxes) -> Tensor:
    """Huber loss of the residual in the true bin."""
    residuals = inputs.predictions.angle_residuals
    bins, target = encode_yaw(inputs.boxes[..., 6], residuals.shape[-1])
    predicted = residuals.gather(-1, bins.unsqueeze(-1)).squeeze(-1)
    return mean_over_boxes(F.huber_loss(predicted, target, reduction='none'), inputs)
