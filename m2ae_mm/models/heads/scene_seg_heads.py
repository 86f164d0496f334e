"""Classes of the points of scenes, under mmdet3d's segmentors."""
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate
from mmdet3d.models.decode_heads.decode_head import Base3DDecodeHead
from mmdet3d.registry import MODELS

from ..layers.initialization import init_truncated_normal
from ..layers.propagation import PointwiseNorm


@MODELS.register_module()
class M2AESegHead(Base3DDecodeHead):
    """Classifies what a :class:`PointM2AEPropagation` neck ends with, and takes the scores to every point.

    A shared layer, dropout and a classifier, on the finest scale that the
    neck reached. Where that is not the input, the scores of the three nearest
    centres are interpolated, so that every point has some.

    Args:
        in_channels: Width of the neck's last step.
        channels: Of the hidden layer.
        kwargs: ``num_classes``, ``ignore_index``, ``dropout_ratio``, ``loss_decode``, see mmdet3d's
            ``Base3DDecodeHead``.
    """

    def __init__(self, in_channels: int, channels: int = 64, **kwargs) -> None:
        super().__init__(channels=channels, **kwargs)
        self.pre_seg = PointwiseNorm(in_channels, channels)

    def init_weights(self) -> None:
        """Truncated normal 0.02, the classifier as in mmdet3d."""
        if not self.is_init:
            init_truncated_normal(self)
            super().init_weights()

    def forward(self, feats_dict: dict) -> Tensor:
        """Score every point.

        Args:
            feats_dict: What the neck returned.

        Returns:
            ``(B, num_classes, N)`` logits.
        """
        features = F.gelu(self.pre_seg(feats_dict['fp_features'][-1].transpose(1, 2)))
        logits = self.cls_seg(features.transpose(1, 2)).transpose(1, 2)
        return at_points(feats_dict['sa_xyz'][0], feats_dict['fp_xyz'][-1], logits).transpose(1, 2)


@MODELS.register_module()
class M2AELinearSegHead(Base3DDecodeHead):
    """One linear layer on the tokens of all scales, interpolated at every point: the linear probe of scenes.

    Reads the encoder itself; a neck has no part in it. Interpolation is linear,
    too, so the layer is applied at the centres, where there are fewer rows.

    Args:
        in_channels: Token widths of the encoder, fine to coarse.
        kwargs: ``num_classes``, ``ignore_index``, ``loss_decode``, see mmdet3d's ``Base3DDecodeHead``.
    """

    def __init__(self, in_channels: Sequence[int], dropout_ratio: float = 0., **kwargs) -> None:
        super().__init__(channels=sum(in_channels), dropout_ratio=dropout_ratio, **kwargs)
        self.in_channels = list(in_channels)

    def build_conv_seg(self, channels: int, num_classes: int, kernel_size: int) -> nn.Module:
        """The one layer."""
        return nn.Linear(channels, num_classes)

    def forward(self, feats_dict: dict) -> Tensor:
        """Score every point.

        Args:
            feats_dict: What the encoder returned.

        Returns:
            ``(B, num_classes, N)`` logits.
        """
        points = feats_dict['sa_xyz'][0]
        weights = self.conv_seg.weight.split(self.in_channels, 1)
        logits = self.conv_seg.bias
        for centers, tokens, weight in zip(feats_dict['sa_xyz'][1:], feats_dict['sa_features'][1:], weights):
            tokens = tokens.transpose(1, 2)
            if self.dropout is not None:
                tokens = self.dropout(tokens)
            logits = logits + at_points(points, centers, F.linear(tokens, weight))
        return logits.transpose(1, 2)


def at_points(points: Tensor, centers: Tensor, values: Tensor) -> Tensor:
    """``(B, M, C)`` values of ``(B, M, 3)`` centres at ``(B, N, 3)`` points; as they are if these are the same tensor."""
    return values if centers is points else interpolate(points, centers, values)
