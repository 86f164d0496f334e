"""One-to-one assignment of queries to ground-truth boxes (3DETR paper, section 3)."""
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from m2ae_mm.ops import box_giou_3d

from .three_detr_boxes import BoxPredictions, SceneExtent
from .three_detr_targets import BoxTargets


class Assignment(NamedTuple):
    """Which ground-truth box each query answers for.

    Attributes:
        gt_index: ``(L, B, Q)`` int64 row of the ground truth, 0 where unmatched.
        matched: ``(L, B, Q)`` bool, ``True`` = has a ground-truth box.
    """
    gt_index: Tensor
    matched: Tensor


class HungarianMatcher:
    """Minimise the summed cost, for every decoder layer on its own.

    Costs of all layers and clouds are computed at once on the device and
    copied to the host once, where the assignment problems are solved.

    Args:
        rotated: Whether the yaw counts in the IoU.
        cost_class: Weight of minus the probability of the box's class.
        cost_giou: Weight of minus the generalised IoU.
        cost_center: Weight of the L1 distance of normalised centres.
        cost_objectness: Weight of minus the objectness.
    """

    def __init__(self,
                 rotated: bool,
                 cost_class: float = 1.,
                 cost_giou: float = 2.,
                 cost_center: float = 0.,
                 cost_objectness: float = 0.) -> None:
        self.rotated = rotated
        self.cost_class = cost_class
        self.cost_giou = cost_giou
        self.cost_center = cost_center
        self.cost_objectness = cost_objectness

    @torch.no_grad()
    def __call__(self, predictions: BoxPredictions, targets: BoxTargets, extent: SceneExtent) -> Assignment:
        """Match. Padding of the targets is never matched.

        Raises:
            FloatingPointError: If a cost is not finite.
        """
        costs = self.costs(predictions, targets, extent).cpu().numpy()
        if not np.isfinite(costs).all():
            raise FloatingPointError('the matching costs hold NaN or infinite values: the predictions have diverged. '
                                     'Lower the learning rate or clip gradients; float16 needs loss scaling.')
        layers, batch, num_queries, _ = costs.shape
        gt_index = np.zeros((layers, batch, num_queries), np.int64)
        matched = np.zeros((layers, batch, num_queries), bool)
        for layer in range(layers):
            for cloud, count in enumerate(targets.counts):
                queries, boxes = linear_sum_assignment(costs[layer, cloud, :, :count])
                gt_index[layer, cloud, queries] = boxes
                matched[layer, cloud, queries] = True
        device = targets.boxes.device
        return Assignment(torch.from_numpy(gt_index).to(device), torch.from_numpy(matched).to(device))

    def costs(self, predictions: BoxPredictions, targets: BoxTargets, extent: SceneExtent) -> Tensor:
        """``(L, B, Q, G)`` cost of every pair, without gradient."""
        truth = targets.boxes.expand(len(predictions.boxes), -1, -1, -1)
        probabilities = predictions.class_probabilities
        index = targets.labels[None, :, None].expand(*probabilities.shape[:3], -1)
        costs = -self.cost_class * probabilities.gather(-1, index)
        costs = costs - self.cost_giou * box_giou_3d(predictions.boxes, truth, self.rotated)
        if self.cost_center:
            centers = extent.normalize(targets.boxes[..., :3]).unsqueeze(1)
            distance = (predictions.normalized_centers.unsqueeze(-2) - centers).abs().sum(-1)
            costs = costs + self.cost_center * distance
        if self.cost_objectness:
            costs = costs - self.cost_objectness * predictions.objectness.unsqueeze(-1)
        return costs
