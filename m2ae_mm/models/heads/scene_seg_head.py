"""Classes of the points of scenes, under mmdet3d's segmentors."""
import torch.nn.functional as F
from torch import Tensor

from m2ae_mm.ops import interpolate
from mmdet3d.models.decode_heads.decode_head import Base3DDecodeHead
from mmdet3d.registry import MODELS

from ..layers.initialization import init_truncated_normal
from ..layers.token_layers import PointwiseNorm


@MODELS.register_module()
class M2AESegHead(Base3DDecodeHead):
    """Classifies what a :class:`PointM2AEPropagation` neck ends with, and takes the scores to every point.

    A shared layer, dropout and a classifier, on the finest scale that the
    neck reached. Where that is not the input, the scores of the three nearest
    centres are interpolated, so that every point has some.

    Args:
        in_channels: Width of the neck's last step.
        channels: Of the shared layer.
        linear: The classifier alone, one linear layer without dropout: with a neck that does not learn and a frozen
            encoder, the linear probe of scenes.
        kwargs: ``num_classes``, ``ignore_index``, ``dropout_ratio``, ``loss_decode``, see mmdet3d's
            ``Base3DDecodeHead``.
    """

    def __init__(self, in_channels: int, channels: int = 64, linear: bool = False, dropout_ratio: float = 0.5,
                 **kwargs) -> None:
        super().__init__(channels=in_channels if linear else channels, dropout_ratio=0. if linear else dropout_ratio,
                         **kwargs)
        self.pre_seg = None if linear else PointwiseNorm(in_channels, channels)

    def init_weights(self) -> None:
        """Truncated normal 0.02, the classifier as in mmdet3d."""
        if not self.is_init:
            init_truncated_normal(self)
            super().init_weights()

    def forward(self, feats_dict: dict) -> Tensor:
        """Score every point from what the neck returned.

        Returns:
            ``(B, num_classes, N)`` logits.
        """
        features, centers, points = feats_dict['fp_features'][-1], feats_dict['fp_xyz'][-1], feats_dict['sa_xyz'][0]
        if self.pre_seg is not None:
            features = F.gelu(self.pre_seg(features.transpose(1, 2))).transpose(1, 2)
        logits = self.cls_seg(features)
        if centers is points:
            return logits
        return interpolate(points, centers, logits.transpose(1, 2)).transpose(1, 2)
