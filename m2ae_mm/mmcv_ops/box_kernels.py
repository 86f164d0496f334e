"""Box operators and the focal loss under the names and calls of ``mmcv._ext``.

mmcv's boxes for points are ``(x, y, z, dx, dy, dz, yaw)`` with ``z`` at the
*bottom*; its rectangles are ``(x, y, w, h, angle)``, angle from x towards y.
"""
import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops import points_in_boxes, rotated_iou_bev
from ..ops.boxes import rectangle_overlap, suppress

__all__ = [
    'box_iou_rotated', 'iou3d_boxes_overlap_bev_forward', 'iou3d_nms3d_forward', 'iou3d_nms3d_normal_forward', 'nms',
    'nms_rotated', 'points_in_boxes_all_forward', 'points_in_boxes_cpu_forward', 'points_in_boxes_part_forward',
    'sigmoid_focal_loss_backward', 'sigmoid_focal_loss_forward'
]


def points_in_boxes_all_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """Fill ``output`` (B, N, T) with 1 where a point lies in a box, else 0."""
    output.copy_(points_in_boxes(points, _lift(boxes)))


def points_in_boxes_cpu_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """As above for one cloud, with ``output`` (T, N)."""
    output.copy_(points_in_boxes(points[None], _lift(boxes[None]))[0].T)


def points_in_boxes_part_forward(boxes: Tensor, points: Tensor, output: Tensor) -> None:
    """Fill ``output`` (B, N) with the first box that holds the point, else -1."""
    if boxes.shape[1] == 0:
        output.fill_(-1)
        return
    inside = points_in_boxes(points, _lift(boxes))
    output.copy_(torch.where(inside.any(2), inside.int().argmax(2), -1))


def box_iou_rotated(boxes_a: Tensor, boxes_b: Tensor, output: Tensor, mode_flag: int, aligned: bool) -> None:
    """Fill ``output`` with the overlaps of ``(N, 5)`` and ``(M, 5)``, flattened."""
    overlaps = rotated_iou_bev(boxes_a, boxes_b, aligned, ('iou', 'iof')[mode_flag])
    output.copy_(overlaps.view_as(output))


def iou3d_boxes_overlap_bev_forward(boxes_a: Tensor, boxes_b: Tensor, output: Tensor) -> None:
    """Fill ``output`` (N, M) with the areas shared in the ground plane by (N, 7) and (M, 7)."""
    output.copy_(rectangle_overlap(_rectangles(boxes_a)[:, None], _rectangles(boxes_b)[None]))


def iou3d_nms3d_forward(boxes: Tensor, keep: Tensor, num_kept: Tensor, nms_overlap_thresh: float) -> None:
    """Suppress (N, 7) boxes, best first, by their overlap in the ground plane."""
    _keep_first(_rectangles(boxes), keep, num_kept, nms_overlap_thresh)


def iou3d_nms3d_normal_forward(boxes: Tensor, keep: Tensor, num_kept: Tensor, nms_overlap_thresh: float) -> None:
    """As above with every yaw taken as 0."""
    rectangles = _rectangles(boxes)
    rectangles[:, 4] = 0
    _keep_first(rectangles, keep, num_kept, nms_overlap_thresh)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Kept indices, best first, of ``(N, 4)`` corners; ``offset`` widens each side by 0 or 1."""
    low = torch.maximum(boxes[:, None, :2], boxes[:, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = (high - low + offset).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2] + offset).prod(-1)
    return suppress(shared / (area[:, None] + area - shared), scores, iou_threshold)


def nms_rotated(boxes: Tensor, scores: Tensor, _order: Tensor, _sorted: Tensor, _labels: Tensor, iou_threshold: float,
                multi_label: int) -> Tensor:
    """Kept indices, best first, of ``(N, 5)`` rectangles, or ``(N, 6)``: labels are suppressed apart."""
    overlaps = rotated_iou_bev(boxes[:, :5], boxes[:, :5])
    if multi_label:
        overlaps = overlaps * (boxes[:, None, 5] == boxes[:, 5])
    return suppress(overlaps, scores, iou_threshold)


def sigmoid_focal_loss_forward(logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Fill ``output`` (N, C) from logits (N, C) and class ``target`` (N,); C means background.

    ``weight`` holds a factor per class, or nothing.
    """
    output.copy_(_sigmoid_focal_loss(logits, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(logits: Tensor, target: Tensor, weight: Tensor, grad_logits: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill ``grad_logits`` (N, C) with the gradient of the summed loss."""
    with torch.enable_grad():
        logits = logits.detach().requires_grad_()
        loss = _sigmoid_focal_loss(logits, target, weight, gamma, alpha).sum()
    grad_logits.copy_(torch.autograd.grad(loss, logits)[0])


def _sigmoid_focal_loss(logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float) -> Tensor:
    positive = target[:, None] == torch.arange(logits.shape[1], device=logits.device)
    probability = torch.where(positive, logits, -logits).sigmoid()
    balance = torch.where(positive, alpha, 1 - alpha)
    entropy = F.binary_cross_entropy_with_logits(logits, positive.to(logits.dtype), reduction='none')
    loss = balance * (1 - probability)**gamma * entropy
    if weight.numel():
        # mmcv weights a whole row by its class; background has no weight.
        loss = loss * F.pad(weight, (0, 1), value=1.)[target.clamp(max=len(weight))][:, None]
    return loss


def _lift(boxes: Tensor) -> Tensor:
    """From the bottom centre to the gravity centre."""
    lift = torch.zeros_like(boxes)
    lift[..., 2] = boxes[..., 5] / 2
    return boxes + lift


def _rectangles(boxes: Tensor) -> Tensor:
    """(N, 5) ground-plane rectangles of (N, 7) boxes."""
    return boxes[:, [0, 1, 3, 4, 6]]


def _keep_first(rectangles: Tensor, keep: Tensor, num_kept: Tensor, threshold: float) -> None:
    """Write the kept rows to the front of ``keep`` and their number to ``num_kept``."""
    rank = torch.arange(len(rectangles), 0, -1, device=rectangles.device)
    kept = suppress(rotated_iou_bev(rectangles, rectangles), rank, threshold)
    keep[:len(kept)] = kept
    num_kept.fill_(len(kept))
