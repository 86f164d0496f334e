"""One-to-one assignment of queries to ground-truth boxes (3DETR paper, section 3)."""
import torch
from torch import Tensor

from m2ae_mm.ops import box_giou_3d

from .box_targets import BoxTargets
from .detr_matcher import Assignment, assign
from .scene_extent import SceneExtent
from .three_detr_boxes import BoxPredictions


class HungarianMatcher:
    """Minimise the summed cost, for every decoder layer on its own.

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
        return assign([self.costs(predictions, targets, extent)], targets.counts, [1])[0]

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
