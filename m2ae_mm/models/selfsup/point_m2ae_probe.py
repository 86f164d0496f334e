"""A pre-training model that predicts features instead of reconstructions."""
from torch import Tensor

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from .point_m2ae import PointM2AE


@MODELS.register_module()
class PointM2AEProbe(PointM2AE):
    """For linear evaluation; loads checkpoints of :class:`PointM2AE`, whatever their decoder."""

    used_for_test = 'backbone.'

    def predict(self, points: Tensor, data_samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Each sample receives ``feature`` (C_S,)."""
        for sample, feature in zip(data_samples, self.extract_feat(points)):
            sample.feature = feature
        return data_samples
