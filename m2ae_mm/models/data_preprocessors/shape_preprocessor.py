"""From collated shapes to one augmented tensor on the device."""
from collections.abc import Sequence

from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmdet3d.registry import MODELS, TRANSFORMS

from ..layers.clouds import check_batch, stack_clouds
from .batch_transforms import M2AEBatchSample


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
