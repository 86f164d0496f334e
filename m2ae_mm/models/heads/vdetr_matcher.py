"""Which query of V-DETR answers for which ground-truth box (paper, section 3)."""
import torch
import torch.nn.functional as F
from torch import Tensor

from m2ae_mm.ops import box_giou_3d, squared_distances

from .box_targets import BoxTargets
from .detr_matcher import Assignment, assign
from .vdetr_boxes import RelativeBoxes, VDETRPredictions, encode_relative


class VDETRMatcher:
    """Every box to several queries of each decoder layer, and to one or several tokens of the first layer.

    Args:
        rotated: Whether the yaw counts in the IoU.
        cost_class: Weight of the focal loss of the box's class, less that of no class.
        cost_giou: Weight of minus the generalised IoU.
        cost_center: Weight of the L1 distance of relative centres.
        cost_size: Weight of the L1 distance of relative sizes.
        copies: Queries for each box in the decoder layers.
        first_assignment: ``'matched'``: in the first layer each box goes to
            the one token of least cost, whatever the class. ``'nearest'``: to the
            ``nearest_tokens`` tokens nearest its centre; a token near several
            boxes answers for the nearest.
        nearest_tokens: Tokens for each box.
    """

    def __init__(self,
                 rotated: bool,
                 cost_class: float = 3.,
                 cost_giou: float = 2.,
                 cost_center: float = 1.,
                 cost_size: float = 0.5,
                 copies: int = 5,
                 first_assignment: str = 'matched',
                 nearest_tokens: int = 4) -> None:
        if first_assignment not in ('matched', 'nearest'):
            raise ValueError(f"first_assignment must be 'matched' or 'nearest', got {first_assignment!r}.")
        if copies < 1 or nearest_tokens < 1:
            raise ValueError(f'copies and nearest_tokens must be at least 1, got {copies} and {nearest_tokens}.')
        self.rotated = rotated
        self.cost_class = cost_class
        self.cost_giou = cost_giou
        self.cost_center = cost_center
        self.cost_size = cost_size
        self.copies = copies
        self.nearest_tokens = nearest_tokens if first_assignment == 'nearest' else None

    @property
    def first_copies(self) -> int:
        """Tokens of the first layer for each box."""
        return self.nearest_tokens or 1

    @torch.no_grad()
    def __call__(self, predictions: VDETRPredictions, targets: BoxTargets,
                 extent: Tensor | None) -> tuple[Assignment, Assignment]:
        """Match. Padding of the targets is never matched.

        Returns:
            Of the first layer and of the decoder layers.

        Raises:
            FloatingPointError: If a cost is not finite.
        """
        costs = self.costs(predictions.layers, targets, extent)
        if self.nearest_tokens:
            layers, = assign([costs], targets.counts, [self.copies])
            return assign_nearest(predictions.xyz, targets, self.nearest_tokens), layers
        first = self.costs(predictions.first, objects(targets), extent)
        return tuple(assign([first, costs], targets.counts, [1, self.copies]))

    def costs(self, predictions: RelativeBoxes, targets: BoxTargets, extent: Tensor | None) -> Tensor:
        """``(L, B, Q, G)`` cost of every pair, without gradient."""
        logits = predictions.class_logits
        logits = logits.gather(-1, targets.labels[None, :, None].expand(*logits.shape[:3], -1))
        costs = self.cost_class * (focal(logits, True) - focal(logits, False))
        truth = targets.boxes.expand(len(logits), -1, -1, -1)
        costs = costs - self.cost_giou * box_giou_3d(predictions.boxes, truth, self.rotated)
        sides = None if extent is None else extent[:, None, None]
        ideal = encode_relative(truth.unsqueeze(-3), predictions.references.unsqueeze(-2), sides)
        for weight, found, wanted in zip((self.cost_center, self.cost_size), (predictions.centers, predictions.sizes),
                                         ideal):
            costs = costs + weight * (found.unsqueeze(-2) - wanted).abs().sum(-1)
        return costs


def assign_nearest(xyz: Tensor, targets: BoxTargets, tokens: int) -> Assignment:
    """The tokens nearest each box's centre answer for it; on the device, so that no GPU is waited for.

    Args:
        xyz: ``(B, N, 3)``.
        targets: G boxes.
        tokens: For each box; all N if they are fewer.

    Returns:
        With L = 1 and Q = N.
    """
    distances = squared_distances(xyz, targets.boxes[..., :3])
    counts = torch.tensor(targets.counts, device=xyz.device)
    is_padding = torch.arange(distances.shape[2], device=xyz.device) >= counts.unsqueeze(1)
    near = distances.topk(min(tokens, distances.shape[1]), dim=1, largest=False).indices
    chosen = torch.zeros_like(distances, dtype=torch.bool).scatter(1, near, True) & ~is_padding.unsqueeze(1)
    nearest = torch.where(chosen, distances, torch.inf).argmin(2)
    return Assignment(nearest.unsqueeze(0), chosen.any(2).unsqueeze(0))


def objects(targets: BoxTargets) -> BoxTargets:
    """The same boxes with the one class of the first layer."""
    return targets._replace(labels=torch.zeros_like(targets.labels))


def focal(logits: Tensor, positive: bool) -> Tensor:
    """Sigmoid focal loss (alpha 0.25, gamma 2) of logits that should be high (``positive``) or low."""
    probability = logits.sigmoid()
    if positive:
        return 0.25 * (1 - probability).square() * -F.logsigmoid(logits)
    return 0.75 * probability.square() * -F.logsigmoid(-logits)
