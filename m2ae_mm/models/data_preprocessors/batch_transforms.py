"""Sampling and augmentation of a whole batch on its device: ``(B, N, C)`` in, ``(B, M, C)`` out."""
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from m2ae_mm.ops import furthest_point_sample, gather
from mmdet3d.registry import TRANSFORMS


@TRANSFORMS.register_module()
class M2AEBatchScaleShift:
    """Scale and shift every axis of every cloud by its own random amount.

    Args:
        scale_range: Smallest and largest factor.
        shift_range: Largest shift to either side, in the unit of the points.
        per_axis: Whether the axes of a cloud have a factor each, or one for all.
    """

    def __init__(self,
                 scale_range: Sequence[float] = (2 / 3, 3 / 2),
                 shift_range: float = 0.2,
                 per_axis: bool = True) -> None:
        self.scale_range = tuple(scale_range)
        self.shift_range = shift_range
        self.per_axis = per_axis

    def __call__(self, points: Tensor) -> Tensor:
        low, high = self.scale_range
        random = torch.rand(2, len(points), 1, 3, device=points.device)
        scale = low + (high - low) * (random[0] if self.per_axis else random[0, ..., :1])
        shift = self.shift_range * (2 * random[1] - 1)
        return torch.cat([points[..., :3] * scale + shift, points[..., 3:]], -1)


@TRANSFORMS.register_module()
class M2AEBatchRotate:
    """Turn every cloud about an axis by a random angle.

    Args:
        axis: 0, 1 or 2: the axis that points up.
        per_cloud: Whether the clouds of a batch have an angle each, or one for all.
    """

    def __init__(self, axis: int = 2, per_cloud: bool = True) -> None:
        if axis not in (0, 1, 2):
            raise ValueError(f'axis is 0 (x), 1 (y) or 2 (z), got {axis}.')
        self.axis = axis
        self.per_cloud = per_cloud

    def __call__(self, points: Tensor) -> Tensor:
        random = torch.rand(len(points) if self.per_cloud else 1, 1, device=points.device)
        angle = math.pi * (2 * random - 1)
        first, second = (self.axis + 1) % 3, (self.axis + 2) % 3
        turned = points.clone()
        turned[..., first] = angle.cos() * points[..., first] - angle.sin() * points[..., second]
        turned[..., second] = angle.sin() * points[..., first] + angle.cos() * points[..., second]
        return turned


@TRANSFORMS.register_module()
class M2AEBatchSample:
    """Furthest point sampling, then a random subset of what it picked.

    Clouds with fewer different points (files may have few, and stacked clouds
    are filled up) keep all of them, and repeat some.

    Args:
        num_points: Points of the result.
        num_candidates: Points to pick by furthest point sampling from a
            random first one; None picks ``num_points`` from the first point
            on and leaves nothing to chance (evaluation).
    """

    def __init__(self, num_points: int, num_candidates: int | None = None) -> None:
        if num_candidates is not None and num_candidates < num_points:
            raise ValueError(f'num_candidates ({num_candidates}) must be at least num_points ({num_points}).')
        self.num_points = num_points
        self.num_candidates = num_candidates

    def __call__(self, points: Tensor) -> Tensor:
        available = points.shape[1]
        if self.num_candidates is None:
            candidates = furthest_point_sample(points[..., :3], min(self.num_points, available))
        else:
            points = self._with_random_first(points)
            candidates = furthest_point_sample(points[..., :3], min(self.num_candidates, available))
        different = _count_different(gather(points[..., :3], candidates))
        if self.num_candidates is not None:
            position = torch.arange(candidates.shape[1], device=points.device)
            random = torch.rand(candidates.shape, device=points.device).masked_fill_(position >= different, -1.)
            candidates = candidates.gather(1, random.topk(min(self.num_points, candidates.shape[1])).indices)
        different = different.clamp(max=candidates.shape[1])
        position = torch.arange(self.num_points, device=points.device) % different
        return gather(points, candidates.gather(1, position))

    @staticmethod
    def _with_random_first(points: Tensor) -> Tensor:
        """Each cloud with its first point exchanged for a random one."""
        batch, count, _ = points.shape
        first = torch.randint(count, (batch, 1), device=points.device)
        order = torch.arange(count, device=points.device).repeat(batch, 1)
        order.scatter_(1, first, 0)
        order[:, :1] = first
        return gather(points, order)


def _count_different(xyz: Tensor) -> Tensor:
    """``(B, 1)``: how many of the points that furthest point sampling picked, ``(B, M, 3)``, differ.

    Once all are taken it picks the first over and over.
    """
    return 1 + (xyz[:, 1:] != xyz[:, :1]).any(-1).sum(1, keepdim=True)
