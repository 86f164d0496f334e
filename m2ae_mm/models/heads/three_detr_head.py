"""Decoder, box heads, losses and prediction of 3DETR (paper, section 3)."""
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2ae_mm.ops import furthest_point_sample, gather
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from ..layers.detr_transformer import DETRDecoder
from ..layers.fourier_embedding import FourierEmbedding
from ..layers.token_mlp import TokenLayer
from .three_detr_boxes import BoxPredictions, SceneExtent, decode_boxes
from .three_detr_losses import LOSSES, cardinality_error, gather_loss_inputs
from .three_detr_matcher import HungarianMatcher
from .three_detr_postprocess import DetectionConfig, detect
from .three_detr_targets import collect_targets

# The published weights of the losses, and of "no object" in the first one.
LOSS_WEIGHTS = dict(
    loss_sem_cls=1., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=5., loss_size=1., loss_giou=1.)
NO_OBJECT_WEIGHT = 0.25


@MODELS.register_module()
class ThreeDETRHead(BaseModule):
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
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if num_classes < 1 or num_queries < 1 or num_angle_bins < 1 or num_layers < 1:
            raise ValueError('num_classes, num_queries, num_layers and num_angle_bins must be at least 1, got '
                             f'{num_classes}, {num_queries}, {num_layers}, {num_angle_bins}.')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.num_queries = num_queries
        self._read_train_cfg(num_angle_bins > 1, **(train_cfg or {}))
        self.detection = DetectionConfig(**(test_cfg or {}))

        widths = [in_channels, *projection_channels, embed_dims]
        self.projection = nn.Sequential(*(TokenLayer(*pair) for pair in zip(widths[:-1], widths[1:])))
        self.position_embedding = FourierEmbedding(embed_dims)
        self.query_projection = nn.Sequential(*(TokenLayer(embed_dims, embed_dims, norm=False) for _ in range(2)))
        self.decoder = DETRDecoder(num_layers, embed_dims, num_heads, feedforward_channels, dropout)
        outputs = dict(
            class_logits=num_classes + 1, center=3, size=3, angle_logits=num_angle_bins, angle_residuals=num_angle_bins)
        self.box_heads = nn.ModuleDict(
            {name: box_mlp(embed_dims, channels, mlp_dropout) for name, channels in outputs.items()})

    def _read_train_cfg(self,
                        rotated: bool,
                        matcher: dict | None = None,
                        loss_weights: dict | None = None,
                        no_object_weight: float = NO_OBJECT_WEIGHT) -> None:
        unknown = set(loss_weights or {}) - set(LOSS_WEIGHTS)
        if unknown:
            raise ValueError(f'unknown losses {sorted(unknown)} in loss_weights; known are {sorted(LOSS_WEIGHTS)}.')
        self.matcher = HungarianMatcher(rotated, **(matcher or {}))
        self.loss_weights = {**LOSS_WEIGHTS, **(loss_weights or {})}
        self.no_object_weight = no_object_weight

    def forward(self, feats: dict) -> BoxPredictions:
        """Predict the boxes of all decoder layers.

        Args:
            feats: ``fp_xyz`` and ``fp_features``, lists whose last entries
                ``(B, M, 3)`` and ``(B, in_channels, M)`` are the tokens, and
                ``points`` ``(B, N, 3)``, the clouds. :class:`ThreeDETR` adds
                the last to what the backbone returns.
        """
        xyz, features = feats['fp_xyz'][-1], feats['fp_features'][-1]
        if features.shape[1] != self.in_channels:
            raise ValueError(f'ThreeDETRHead(in_channels={self.in_channels}) got features of shape '
                             f'{tuple(features.shape)} (B, C, M); set in_channels to {features.shape[1]}.')
        extent = SceneExtent.of(feats['points'])
        memory = self.projection(features.transpose(1, 2))
        memory_position = self.position_embedding(extent.normalize(xyz)).to(memory.dtype)
        picked = furthest_point_sample(xyz, self.num_queries)
        queries = gather(xyz, picked)
        query_position = self.query_projection(gather(memory_position, picked))
        decoded = self.decoder(query_position, memory, memory_position)
        raw = {name: head(decoded) for name, head in self.box_heads.items()}
        return decode_boxes(raw, queries, extent)

    def loss(self, feats: dict, batch_data_samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of all decoder layers.

        Args:
            feats: See :meth:`forward`; or ``points`` and what it has returned for them as ``predictions``.
            batch_data_samples: With ``gt_instances_3d``.

        Returns:
            Weighted losses: the last layer's under their names in
            :data:`LOSSES`, layer i's as ``d{i}.{name}``; ``cardinality_error``
            of the last layer is for the log and not summed by mmengine.
        """
        points = feats['points']
        predictions = self._predictions(feats)
        instances = [sample.gt_instances_3d for sample in batch_data_samples]
        # Matching and losses in float32 whatever the network ran in.
        with torch.autocast(points.device.type, enabled=False):
            extent = SceneExtent.of(points)
            targets = collect_targets(instances, self.num_classes, points.device, self.matcher.rotated)
            assignment = self.matcher(predictions, targets, extent)
            inputs = gather_loss_inputs(predictions, targets, assignment, extent, self.no_object_weight)
            losses = {name: weight * LOSSES[name](inputs) for name, weight in self.loss_weights.items() if weight}
        last = len(predictions.boxes) - 1
        result = {name: values[last] for name, values in losses.items()}
        result.update({f'd{i}.{name}': values[i] for i in range(last) for name, values in losses.items()})
        result['cardinality_error'] = cardinality_error(inputs)[last]
        return result

    def predict(self, feats: dict, batch_data_samples: Sequence[Det3DDataSample]) -> list[InstanceData]:
        """Detections per cloud: ``bboxes_3d``, ``scores_3d``, ``labels_3d``."""
        points = feats['points']
        predictions = self._predictions(feats)
        if len(batch_data_samples) != len(points):
            raise ValueError(f'{len(batch_data_samples)} data samples do not fit {len(points)} clouds.')
        with torch.autocast(points.device.type, enabled=False):
            return detect(predictions, points, self.detection)

    def _predictions(self, feats: dict) -> BoxPredictions:
        """Those that the detector has put there, or of :meth:`forward`."""
        return feats['predictions'] if 'predictions' in feats else self(feats)


def box_mlp(dims: int, out_channels: int, dropout: float) -> nn.Sequential:
    """Two hidden layers and a linear output."""
    hidden = [TokenLayer(dims, dims, dropout=dropout) for _ in range(2)]
    return nn.Sequential(*hidden, nn.Linear(dims, out_channels))
