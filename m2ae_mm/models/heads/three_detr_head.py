"""Decoder, box heads, losses and prediction of 3DETR (paper, section 3)."""
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import furthest_point_sample, gather
from mmdet3d.registry import MODELS

from ..layers.detr_transformer import DETRDecoder
from ..layers.fourier_embedding import FourierEmbedding
from ..layers.token_layers import TokenLayer
from .box_postprocess import DetectionConfig
from .box_set_head import BoxSetHead, box_mlp, by_layer, changed_weights
from .box_targets import BoxTargets
from .scene_extent import SceneExtent
from .three_detr_boxes import BoxPredictions, decode_boxes
from .three_detr_losses import LOSSES, cardinality_error, gather_loss_inputs
from .three_detr_matcher import HungarianMatcher

# The published weights of the losses, and of "no object" in the first one.
LOSS_WEIGHTS = dict(
    loss_sem_cls=1., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=5., loss_size=1., loss_giou=1.)
NO_OBJECT_WEIGHT = 0.25


@MODELS.register_module()
class ThreeDETRHead(BoxSetHead):
    """Boxes from the tokens of any indoor backbone.

    1. Projection: an MLP takes the backbone's tokens to the decoder's width.
    2. Queries: positions by furthest point sampling of the tokens, embedded by
       Fourier features and an MLP; their content starts at zero.
    3. Decoder: queries attend to each other and to the tokens.
    4. Heads: five MLPs, shared by all decoder layers, predict class, centre,
       size, angle bin and angle residual of every query.
    5. Training matches queries and boxes one to one for each decoder layer;
       prediction takes the last layer and suppresses duplicates.

    Args:
        num_classes: Object classes K, without "no object".
        in_channels: Channels of the backbone's ``fp_features[-1]``.
        projection_channels: Hidden widths of the projection; published are
            (256, 256) for 3DETR and (256, ) for 3DETR-m.
        embed_dims: Width of decoder and heads.
        num_queries: Boxes per scene before suppression.
        num_layers: Decoder layers.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the decoder layers.
        dropout: In the decoder.
        mlp_dropout: In the box heads.
        num_angle_bins: 1 for axis-aligned boxes (ScanNet), 12 for rotated ones
            (SUN RGB-D). With 1, boxes with a yaw are refused.
        linear: Nothing but one linear layer learns: it predicts the box of a query from the token that the query
            was taken from, normalised. There is no decoder, and options of its layers have no effect.
        train_cfg: Changes to the published defaults: ``matcher`` (options of
            :class:`HungarianMatcher`), ``loss_weights`` (by name of
            :data:`LOSSES`; 0 leaves a loss out) and ``no_object_weight``.
        test_cfg: Options of :class:`DetectionConfig`.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int = 256,
                 projection_channels: Sequence[int] = (256, 256),
                 embed_dims: int = 256,
                 num_queries: int = 256,
                 num_layers: int = 8,
                 num_heads: int = 4,
                 feedforward_channels: int = 256,
                 dropout: float = 0.1,
                 mlp_dropout: float = 0.3,
                 num_angle_bins: int = 1,
                 linear: bool = False,
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(num_classes, in_channels, DetectionConfig(**(test_cfg or {})), init_cfg)
        if num_classes < 1 or num_queries < 1 or num_angle_bins < 1 or num_layers < 1:
            raise ValueError('num_classes, num_queries, num_layers and num_angle_bins must be at least 1, got '
                             f'{num_classes}, {num_queries}, {num_layers}, {num_angle_bins}.')
        self.num_queries = num_queries
        self._read_train_cfg(num_angle_bins > 1, **(train_cfg or {}))

        outputs = dict(
            class_logits=num_classes + 1, center=3, size=3, angle_logits=num_angle_bins, angle_residuals=num_angle_bins)
        self.linear = linear
        if linear:
            self.box_heads = nn.ModuleDict({name: nn.Linear(in_channels, width) for name, width in outputs.items()})
            return
        widths = [in_channels, *projection_channels, embed_dims]
        self.projection = nn.Sequential(*(TokenLayer(*pair) for pair in zip(widths[:-1], widths[1:])))
        self.position_embedding = FourierEmbedding(embed_dims)
        self.query_projection = nn.Sequential(*(TokenLayer(embed_dims, embed_dims, norm=False) for _ in range(2)))
        self.decoder = DETRDecoder(num_layers, embed_dims, num_heads, feedforward_channels, dropout)
        self.box_heads = nn.ModuleDict(
            {name: box_mlp(embed_dims, channels, mlp_dropout) for name, channels in outputs.items()})

    def _read_train_cfg(self,
                        rotated: bool,
                        matcher: dict | None = None,
                        loss_weights: dict | None = None,
                        no_object_weight: float = NO_OBJECT_WEIGHT) -> None:
        self.matcher = HungarianMatcher(rotated, **(matcher or {}))
        self.loss_weights = changed_weights(LOSS_WEIGHTS, loss_weights)
        self.no_object_weight = no_object_weight

    def forward(self, feats: dict) -> BoxPredictions:
        """See :meth:`BoxSetHead.forward`."""
        xyz, features = self.tokens(feats)
        extent = SceneExtent.of(feats['points'])
        picked = furthest_point_sample(xyz, self.num_queries)
        decoded = self._decode(extent.normalize(xyz), features, picked)
        raw = {name: head(decoded) for name, head in self.box_heads.items()}
        return decode_boxes(raw, gather(xyz, picked), extent)

    def _decode(self, xyz: Tensor, features: Tensor, picked: Tensor) -> Tensor:
        """``(L, B, Q, C)`` features of the queries, which stand at the tokens ``picked``, after every layer."""
        if self.linear:
            return F.layer_norm(gather(features, picked), features.shape[-1:]).unsqueeze(0)
        memory = self.projection(features)
        memory_position = self.position_embedding(xyz).to(memory.dtype)
        query_position = self.query_projection(gather(memory_position, picked))
        return self.decoder(query_position, memory, memory_position)

    def compute_losses(self, predictions: BoxPredictions, targets: BoxTargets, points: Tensor) -> dict[str, Tensor]:
        """Losses of all decoder layers.

        Returns:
            Weighted losses: the last layer's under their names in
            :data:`LOSSES`, layer i's as ``d{i}.{name}``; ``cardinality_error``
            of the last layer is for the log and not summed by mmengine.
        """
        extent = SceneExtent.of(points)
        assignment = self.matcher(predictions, targets, extent)
        inputs = gather_loss_inputs(predictions, targets, assignment, extent, self.no_object_weight)
        losses = {name: weight * LOSSES[name](inputs) for name, weight in self.loss_weights.items() if weight}
        return {**by_layer(losses), 'cardinality_error': cardinality_error(inputs)[-1]}
