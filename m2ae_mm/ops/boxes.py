"""Overlaps of upright rotated boxes and suppression.

Boxes are ``(x, y, z, dx, dy, dz, yaw)`` with the gravity centre
(docs/conventions.md). Everything here runs in float32 or wider and, but for
suppression, carries gradients to both sets of boxes.
"""
import torch
from torch import Tensor

_TINY = 1e-10
# Pairs per pass of the rotated overlap: bounds its temporaries to some 200 MB.
_PAIRS_AT_ONCE = 1 << 20


def rotated_iou_bev(boxes_a: Tensor, boxes_b: Tensor, aligned: bool = False, mode: str = 'iou') -> Tensor:
    """Overlap of rotated rectangles in the ground plane.

    Args:
        boxes_a: ``(N, 5)`` as (x, y, width, height, angle), angle in radians
            counter-clockwise.
        boxes_b: ``(M, 5)``.
        aligned: Compare row by row (N == M) and not all pairs.
        mode: ``'iou'``, or ``'iof'`` for the share of ``boxes_a`` covered.

    Returns:
        ``(N, M)``, or ``(N,)`` when aligned; 0 where a box has no area.
    """
    if boxes_a.dim() != 2 or boxes_b.dim() != 2 or boxes_a.shape[1] != 5 or boxes_b.shape[1] != 5:
        raise ValueError(f'need rectangles of shape (N, 5), got {tuple(boxes_a.shape)} and {tuple(boxes_b.shape)}.')
    if aligned and boxes_a.shape != boxes_b.shape:
        raise ValueError(f'aligned needs as many boxes on both sides, got {len(boxes_a)} and {len(boxes_b)}.')
    if mode not in ('iou', 'iof'):
        raise ValueError(f"mode must be 'iou' or 'iof', got {mode!r}.")
    boxes_a, boxes_b = _widen(boxes_a), _widen(boxes_b)
    area_a, area_b = _volume(boxes_a[:, 2:4]), _volume(boxes_b[:, 2:4])
    if not aligned:
        area_a = area_a[:, None]
    overlap = rectangle_overlap(boxes_a, boxes_b) if aligned else _pairwise_overlap(boxes_a, boxes_b)
    return _ratio(overlap, area_a.expand_as(overlap) if mode == 'iof' else area_a + area_b - overlap)


def box_iou_3d(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """3D IoU of all pairs of rotated boxes.

    Args:
        boxes_a: ``(..., N, 7)``.
        boxes_b: ``(..., M, 7)`` with the same leading axes.

    Returns:
        ``(..., N, M)``; 0 where a box has no volume.
    """
    _check_boxes(boxes_a, boxes_b)
    return _ratio(*_intersection_and_union(_widen(boxes_a), _widen(boxes_b), rotated=True))


def box_giou_3d(boxes_a: Tensor, boxes_b: Tensor, rotated: bool) -> Tensor:
    """Generalised 3D IoU of all pairs: IoU minus the empty share of the enclosing box.

    The enclosing box is the smallest one along the axes, also for rotated
    boxes, as in 3DETR (its section 3.3).

    Args:
        boxes_a: ``(..., N, 7)``.
        boxes_b: ``(..., M, 7)`` with the same leading axes.
        rotated: Whether yaw counts; without, it is taken as 0.

    Returns:
        ``(..., N, M)`` in (-1, 1].
    """
    _check_boxes(boxes_a, boxes_b)
    boxes_a, boxes_b = _widen(boxes_a), _widen(boxes_b)
    intersection, union = _intersection_and_union(boxes_a, boxes_b, rotated)
    low_a, high_a = (side.unsqueeze(-2) for side in _extent(boxes_a, rotated))
    low_b, high_b = (side.unsqueeze(-3) for side in _extent(boxes_b, rotated))
    enclosing = _volume(torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b))
    return _ratio(intersection, union) - _ratio(enclosing - union, enclosing)


def nms3d(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy suppression by 3D IoU of rotated boxes.

    Args:
        boxes: ``(N, 7)``.
        scores: ``(N,)``.
        iou_threshold: A box whose IoU with a better one exceeds this is dropped.

    Returns:
        ``(K,)`` int64 indices of the kept boxes, best first; of equal scores
        the lower index is better.
    """
    if boxes.dim() != 2 or boxes.shape[1] != 7 or scores.shape != boxes.shape[:1]:
        raise ValueError(f'need boxes (N, 7) and scores (N,), got {tuple(boxes.shape)} and {tuple(scores.shape)}.')
    return suppress(box_iou_3d(boxes.detach(), boxes.detach()), scores, iou_threshold)


def suppress(overlaps: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Greedy suppression by any overlap.

    Args:
        overlaps: ``(N, N)`` symmetric.
        scores: ``(N,)``.
        threshold: Overlaps above it suppress.

    Returns:
        ``(K,)`` int64 kept indices, best first.
    """
    order = scores.argsort(descending=True, stable=True)
    # The walk is sequential: one transfer to the host beats N small kernels.
    overlapping = (overlaps > threshold)[order][:, order].cpu().numpy()
    alive = torch.ones(len(order), dtype=torch.bool).numpy()
    for i in range(len(alive)):
        if alive[i]:
            alive[i + 1:] &= ~overlapping[i, i + 1:]
    return order[torch.from_numpy(alive).to(order.device)]


def rectangle_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Area shared by rotated rectangles ``(..., 5)``, which broadcast.

    Green's theorem in the frame of ``b``, where it is [-p, p] x [-q, q]: the
    area is the integral of ``clamp(x, -p, p) + p`` dy along the outline of
    ``a``, over the parts with |y| <= q. This is continuous in the input, needs
    no list of vertices and no tolerance for touching or equal edges.
    """
    x, y = _corners_in_frame(a, b)
    half_x, half_y = (b[..., 2:4].clamp(min=0) / 2).unsqueeze(-2).unbind(-1)
    x_end, y_end = x.roll(-1, -1), y.roll(-1, -1)
    y_from, y_to = _clamp(y, half_y), _clamp(y_end, half_y)
    rise = y_end - y
    rise = torch.where(rise.abs() < _TINY, 1, rise)
    x_from = x + (x_end - x) * ((y_from - y) / rise)
    x_to = x + (x_end - x) * ((y_to - y) / rise)
    area = ((_mean_clamped(x_from, x_to, half_x) + half_x) * (y_to - y_from)).sum(-1)
    largest = torch.minimum(_volume(a[..., 2:4]), _volume(b[..., 2:4]))
    return torch.minimum(area.clamp(min=0), largest)


def _corners_in_frame(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """x and y ``(..., 4)`` of the corners of ``a``, counter-clockwise, seen from ``b``."""
    offset_x, offset_y = (a[..., :2] - b[..., :2]).unbind(-1)
    cos, sin = b[..., 4].cos(), b[..., 4].sin()
    center_x = offset_x * cos + offset_y * sin
    center_y = offset_y * cos - offset_x * sin
    turn = a[..., 4] - b[..., 4]
    half = a[..., 2:4].clamp(min=0).unsqueeze(-2) / 2
    signs = a.new_tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    local_x, local_y = (half * signs).unbind(-1)
    cos, sin = turn.cos().unsqueeze(-1), turn.sin().unsqueeze(-1)
    return (center_x.unsqueeze(-1) + local_x * cos - local_y * sin,
            center_y.unsqueeze(-1) + local_x * sin + local_y * cos)


def _mean_clamped(start: Tensor, end: Tensor, bound: Tensor) -> Tensor:
    """Mean of ``clamp(x, -bound, bound)`` for x running from start to end."""
    low, high = torch.minimum(start, end), torch.maximum(start, end)
    middle = (_clamp(low, bound) + _clamp(high, bound)) / 2
    below = (torch.minimum(high, -bound) - low).clamp(min=0)
    above = (high - torch.maximum(low, bound)).clamp(min=0)
    within = _clamp(high, bound) - _clamp(low, bound)
    length = high - low
    short = length < _TINY
    mean = (within * middle + (above - below) * bound) / torch.where(short, 1, length)
    return torch.where(short, middle, mean)


def _clamp(values: Tensor, bound: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(values, bound), -bound)


def _pairwise_overlap(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Shared area of all pairs, ``(..., N, M)`` from ``(..., N, 5)`` and ``(..., M, 5)``."""
    pairs_per_row = max(boxes_b.numel() // 5, 1)
    blocks = boxes_a.split(max(_PAIRS_AT_ONCE // pairs_per_row, 1), -2)
    return torch.cat([rectangle_overlap(block.unsqueeze(-2), boxes_b.unsqueeze(-3)) for block in blocks], -2)


def _intersection_and_union(boxes_a: Tensor, boxes_b: Tensor, rotated: bool) -> tuple[Tensor, Tensor]:
    """Volumes ``(..., N, M)``."""
    low_a, high_a = (side.unsqueeze(-2) for side in _extent(boxes_a, rotated=False))
    low_b, high_b = (side.unsqueeze(-3) for side in _extent(boxes_b, rotated=False))
    shared = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0)
    if rotated:
        columns = [0, 1, 3, 4, 6]
        intersection = _pairwise_overlap(boxes_a[..., columns], boxes_b[..., columns]) * shared[..., 2]
    else:
        intersection = _volume(shared)
    volume_a, volume_b = _volume(boxes_a[..., 3:6]).unsqueeze(-1), _volume(boxes_b[..., 3:6]).unsqueeze(-2)
    return intersection, volume_a + volume_b - intersection


def _extent(boxes: Tensor, rotated: bool) -> tuple[Tensor, Tensor]:
    """Lowest and highest coordinates ``(..., 3)`` of boxes ``(..., 7)``."""
    half = boxes[..., 3:6].clamp(min=0) / 2
    if rotated:
        cos, sin = boxes[..., 6].cos().abs(), boxes[..., 6].sin().abs()
        half_x, half_y, half_z = half.unbind(-1)
        half = torch.stack([half_x * cos + half_y * sin, half_x * sin + half_y * cos, half_z], -1)
    return boxes[..., :3] - half, boxes[..., :3] + half


def _volume(sizes: Tensor) -> Tensor:
    """Product of the sides ``(..., D)``; negative sides count as 0."""
    # Not prod(): its backward takes a slow path for sides of 0.
    sides = sizes.clamp(min=0).unbind(-1)
    result = sides[0]
    for side in sides[1:]:
        result = result * side
    return result


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole``, 0 where ``whole`` is 0, with finite gradients there."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1), 0)


def _widen(boxes: Tensor) -> Tensor:
    """To float32 unless already wider."""
    return boxes.to(torch.promote_types(boxes.dtype, torch.float32))


def _check_boxes(boxes_a: Tensor, boxes_b: Tensor) -> None:
    fits = boxes_a.dim() >= 2 and boxes_a.shape[:-2] == boxes_b.shape[:-2]
    if not fits or boxes_a.shape[-1] != 7 or boxes_b.shape[-1] != 7:
        raise ValueError('need boxes (..., N, 7) and (..., M, 7) with the same leading axes, got '
                         f'{tuple(boxes_a.shape)} and {tuple(boxes_b.shape)}.')
