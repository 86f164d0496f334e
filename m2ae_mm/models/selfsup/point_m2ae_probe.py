"""A pre-training model that predicts features instead of reconstructions."""
import torch
from torch import Tensor

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from .point_m2ae import TOKEN_POOLINGS, PointM2AE, pool_tokens


@MODELS.register_module()
class PointM2AEProbe(PointM2AE):
    """For linear evaluation; loads checkpoints of :class:`PointM2AE`, whatever their decoder.

    Args:
        joined_scales: Features are those of all scales, fine to coarse, one
            beside the other. False is the published protocol: the coarsest
            scale only.
        pooling: Of the tokens of a scale: ``'max+mean'``, their sum, as of
            Point-M2AE; ``'max'``, as of I2P-MAE; or ``'mean'``.
        kwargs: Options of :class:`PointM2AE`.
    """

    used_for_test = 'backbone.'

    def __init__(self, *args, joined_scales: bool = False, pooling: str = 'max+mean', **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if pooling not in TOKEN_POOLINGS:
            raise ValueError(f'pooling is one of {", ".join(TOKEN_POOLINGS)}; got {pooling!r}.')
        self.joined_scales = joined_scales
        self.pooling = pooling

    def pool(self, tokens: list[Tensor], masked: list[Tensor]) -> Tensor:
        """``(B, C)``: C_S channels, or those of all scales."""
        if not self.joined_scales:
            return pool_tokens(tokens[-1], pooling=self.pooling)
        return torch.cat([pool_tokens(*each, self.pooling) for each in zip(tokens, masked)], 1)

    def predict(self, points: Tensor, data_samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Each sample receives ``feature`` ``(C,)``."""
        for sample, feature in zip(data_samples, self.extract_feat(points)):
            sample.feature = feature
        return data_samples
