"""From collated shapes to one augmented tensor ``(B, N, C)`` on the device."""
import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from m2ae_mm.ops import check_finite, furthest_point_sample, gather
from m2ae_mm.samples import sample_name
from mmdet3d.registry import MODELS, TRANSFORMS
from mmdet3d.structures import Det3DDataSample

Samples = Sequence[Det3DDataSample] | None


def stack_clouds(clouds: Sequence[Tensor] | Tensor, samples: Samples = None) -> Tensor:
    """Stack clouds; smaller ones repeat their points from the start.

    Furthest point sampling never takes a repeated point while others are
    left, so centres stay the same; a group may hold a point twice. Index i of
    a filled-up cloud is its point ``i % n``.

    Args:
        clouds: B tensors ``(n_b, 3 + C)``, or already ``(B, N, 3 + C)`` and
            checked, as data preprocessors hand them on.
        samples: Theirs, to say in a message which shape or scene it is.

    Returns:
        ``(B, max n_b, 3 + C)`` float32.

    Raises:
        ValueError: For an empty cloud, differing columns, or NaN and infinite values.
    """
    if isinstance(clouds, Tensor) and clouds.dim() == 3 and clouds.shape[2] >= 3 and clouds.numel():
        return clouds.float()
    columns = {cloud.shape[-1] for cloud in clouds}
    if len(columns) != 1 or min(columns) < 3:
        raise ValueError(f'clouds need the same columns, x y z first; got {sorted(columns)} columns. Check use_dim '
                         'of LoadPointsFromFile.')
    sizes = [cloud.shape[0] for cloud in clouds]
    if min(sizes) == 0:
        name = f' ({sample_name(samples[sizes.index(0)])})' if samples else ''
        raise ValueError(f'cloud {sizes.index(0)} of the batch has no points{name}; check the file and the point '
                         'filters of the pipeline.')
    longest = max(sizes)
    stacked = torch.stack([
        cloud if len(cloud) == longest else cloud[torch.arange(longest, device=cloud.device) % len(cloud)]
        for cloud in clouds
    ]).float()
    check_batch(stacked, samples)
    return stacked


def check_batch(points: Tensor, samples: Samples = None) -> None:
    """Raise ``ValueError`` if clouds ``(B, N, 3 + C)`` hold NaN or infinity, with the name of the first sample."""
    check_finite(points, 'the batch (cloud, point)', (lambda i: sample_name(samples[i])) if samples else None)


@MODELS.register_module()
class M2AEShapePreprocessor(BaseDataPreprocessor):
    """Stacks the clouds, moves them in one transfer and augments them together.

    Args:
        train_transforms: Batch transforms (``M2AEBatch...``) for training.
        test_transforms: For evaluation.
        vote_transforms: For each pass of a vote, see ``PointM2AEClassifier``.
    """

    def __init__(self,
                 train_transforms: Sequence[dict] = (),
                 test_transforms: Sequence[dict] = (),
                 vote_transforms: Sequence[dict] = ()) -> None:
        super().__init__(non_blocking=True)  # waiting would mean to wait for all work that the device has queued
        self.train_transforms = [TRANSFORMS.build(each) for each in train_transforms]
        self.test_transforms = [TRANSFORMS.build(each) for each in test_transforms]
        self.vote_transforms = [TRANSFORMS.build(each) for each in vote_transforms]

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collated data to ``dict(inputs=dict(points=(B, N, C)), data_samples=[...])`` on the device."""
        data = self.stack(data)
        data['inputs']['points'] = self.transform(data, self.train_transforms if training else self.test_transforms)
        return data

    def stack(self, data: dict) -> dict:
        """Collated data with one tensor of points on the device, not transformed.

        Clouds of different sizes are filled up, see :func:`stack_clouds`;
        their samples remember their size as ``filled_from``. Labels stay
        where they are: the models check and move them as one tensor instead
        of one transfer a sample.
        """
        points, samples = data['inputs']['points'], data['data_samples']
        if isinstance(points, Tensor):
            points = stack_clouds(points, samples)
            check_batch(points, samples)  # stack_clouds checks lists only
        else:
            for cloud, sample in zip(points, samples or ()):
                sample.set_metainfo(dict(filled_from=len(cloud)))
            points = stack_clouds(points, samples)
        points = self.cast_data(points)  # checked on the host, where that costs no wait
        return dict(inputs=dict(points=points), data_samples=samples)

    @staticmethod
    def transform(data: dict, transforms: list) -> Tensor:
        """The points of :meth:`stack` after ``transforms``, ``(B, M, C)``.

        Raises:
            ValueError: If points are sampled that have labels.
        """
        points, samples = data['inputs']['points'], data['data_samples']
        count = points.shape[1]
        for transform in transforms:
            points = transform(points)
        sampled = points.shape[1] != count or any(isinstance(transform, M2AEBatchSample) for transform in transforms)
        for sample in samples or ():
            if sampled and 'filled_from' in sample:
                sample.set_metainfo(dict(filled_from=None))  # the sampled points are others
        if sampled and samples and 'gt_pts_seg' in samples[0]:
            raise ValueError('batch transforms that sample points would part them from their labels: sample with '
                             'M2AESamplePoints in the pipeline instead.')
        return points


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
