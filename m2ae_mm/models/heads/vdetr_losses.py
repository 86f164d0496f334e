"""The losses of V-DETR, by name (paper, section 3).

Each takes :class:`LossInputs` and returns one value per decoder layer, see
:mod:`box_losses`; that of the points' classes is one value. Without boxes in
the batch all are 0, as published.
"""
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from m2ae_mm.ops import box_giou_3d, points_in_boxes

from .box_losses import angle_cls_loss, angle_reg_loss, gather_truth, giou_loss, mean_over_boxes
from .box_targets import BoxTargets
from .detr_matcher import Assignment
from .vdetr_boxes import RelativeBoxes, encode_relative
from .vdetr_matcher import focal

# Cubic metres: points in larger boxes do not get the class of the box.
_LARGEST = 100.


class LossInputs(NamedTuple):
    """Predictions with the ground truth that each query is compared to.

    Attributes:
        predictions: Of L layers.
        labels: ``(L, B, Q)`` int64, K (none) where unmatched.
        boxes: ``(L, B, Q, 7)`` ground-truth box; arbitrary where unmatched.
        centers: ``(L, B, Q, 3)`` what the head has to predict for it.
        sizes: ``(L, B, Q, 3)`` likewise.
        matched: ``(L, B, Q)`` float, 1 where the query has a box, else 0.
        num_boxes: Scalar, boxes of the batch times queries for each, mean over processes, at least 1.
        has_boxes: Whether there is any in this batch.
        overlaps: ``(L, B, Q)``, what the probability of the true class should be; None for 1.
    """
    predictions: RelativeBoxes
    labels: Tensor
    boxes: Tensor
    centers: Tensor
    sizes: Tensor
    matched: Tensor
    num_boxes: Tensor
    has_boxes: bool
    overlaps: Tensor | None


def gather_loss_inputs(predictions: RelativeBoxes, targets: BoxTargets, assignment: Assignment, extent: Tensor | None,
                       num_boxes: Tensor, by_overlap: bool = False) -> LossInputs:
    """Give every query its ground truth; ``by_overlap`` asks for a class probability as high as the boxes overlap."""
    boxes, labels = gather_truth(targets, assignment)
    num_classes = predictions.class_logits.shape[-1]
    sides = None if extent is None else extent.unsqueeze(1)
    centers, sizes = encode_relative(boxes, predictions.references, sides)
    return LossInputs(
        predictions=predictions,
        labels=torch.where(assignment.matched, labels, num_classes),
        boxes=boxes,
        centers=centers,
        sizes=sizes,
        matched=assignment.matched.float(),
        num_boxes=num_boxes,
        has_boxes=any(targets.counts),
        overlaps=_overlaps(predictions, boxes) if by_overlap else None)


@torch.no_grad()
def _overlaps(predictions: RelativeBoxes, boxes: Tensor) -> Tensor:
    """``(L, B, Q)`` generalised IoU of each query's box with its own, at least 0."""
    rotated = predictions.angle_logits.shape[-1] > 1
    return box_giou_3d(predictions.boxes.unsqueeze(-2), boxes.unsqueeze(-2), rotated)[..., 0, 0].clamp(min=0)


def sem_cls_loss(inputs: LossInputs) -> Tensor:
    """Focal loss, summed over all queries and classes; towards the overlaps for true classes where these are given."""
    logits = inputs.predictions.class_logits
    values = focal_loss(logits, inputs.labels)
    if inputs.overlaps is not None:
        values = torch.where(_is_true(logits, inputs.labels), overlap_loss(logits, inputs.overlaps), values)
    total = values.sum((1, 2, 3))
    return total * inputs.has_boxes / inputs.num_boxes


def center_loss(inputs: LossInputs) -> Tensor:
    """L1 between relative centres."""
    return mean_over_boxes((inputs.predictions.centers - inputs.centers).abs().sum(-1), inputs)


def size_loss(inputs: LossInputs) -> Tensor:
    """L1 between relative sizes."""
    return mean_over_boxes((inputs.predictions.sizes - inputs.sizes).abs().sum(-1), inputs)


LOSSES: dict[str, Callable[[LossInputs], Tensor]] = dict(
    loss_sem_cls=sem_cls_loss,
    loss_angle_cls=angle_cls_loss,
    loss_angle_reg=angle_reg_loss,
    loss_center=center_loss,
    loss_size=size_loss,
    loss_giou=giou_loss)


def point_cls_loss(logits: Tensor, xyz: Tensor, targets: BoxTargets, num_boxes: Tensor) -> Tensor:
    """Focal loss of the tokens' classes ``(B, N, K)``, summed, over the number of boxes."""
    labels = point_labels(xyz, targets, logits.shape[-1])
    return focal_loss(logits, labels).sum() * any(targets.counts) / num_boxes


def point_labels(xyz: Tensor, targets: BoxTargets, num_classes: int) -> Tensor:
    """``(B, N)`` class of the smallest box in which a token lies, ``num_classes`` for none."""
    inside = points_in_boxes(xyz, targets.boxes)
    counts = torch.tensor(targets.counts, device=xyz.device)
    is_padding = torch.arange(inside.shape[2], device=xyz.device) >= counts.unsqueeze(1)
    volumes = targets.boxes[..., 3:6].prod(-1).masked_fill(is_padding, torch.inf).unsqueeze(1)
    volumes = torch.where(inside & (volumes < _LARGEST), volumes, torch.inf)
    smallest, index = volumes.min(2)
    return torch.where(smallest.isfinite(), targets.labels.gather(1, index), num_classes)


def focal_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """``(..., K)`` sigmoid focal loss of logits; labels ``(...)``, K for none."""
    return torch.where(_is_true(logits, labels), focal(logits, True), focal(logits, False))


def overlap_loss(logits: Tensor, overlaps: Tensor) -> Tensor:
    """``(..., K)`` cross-entropy of logits with the overlaps ``(...)`` as probabilities, weighted by these.

    The weight of positives of the varifocal loss (Zhang et al., CVPR 2021) and the alpha of the focal loss.
    """
    wanted = overlaps.unsqueeze(-1).expand_as(logits)
    return 0.25 * wanted * F.binary_cross_entropy_with_logits(logits, wanted, reduction='none')


def _is_true(logits: Tensor, labels: Tensor) -> Tensor:
    return labels.unsqueeze(-1) == torch.arange(logits.shape[-1], device=logits.device)
