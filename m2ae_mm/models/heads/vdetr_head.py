"""Decoder, box heads, losses and prediction of V-DETR (Shen et al., ICLR 2024)."""
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from m2ae_mm.ops import gather
from mmdet3d.registry import MODELS

from ..layers.fourier_embedding import FourierEmbedding
from ..layers.token_layers import TokenLayer
from ..layers.vdetr_decoder import Memory, VDETRDecoderLayer, VDETRFirstLayer
from ..layers.vertex_bias import VertexBias
from .box_angles import decode_yaw
from .box_losses import mean_num_boxes
from .box_postprocess import DetectionConfig
from .box_set_head import BoxSetHead, box_mlp, by_layer, changed_weights
from .box_targets import BoxTargets
from .scene_extent import SceneExtent
from .vdetr_boxes import RelativeBoxes, VDETRPredictions, decode_relative, stack_layers
from .vdetr_losses import LOSSES, gather_loss_inputs, point_cls_loss
from .vdetr_matcher import VDETRMatcher, objects

# The published weights of the losses.
LOSS_WEIGHTS = dict(
    loss_sem_cls=3., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=1., loss_size=0.5, loss_giou=2.,
    loss_point_cls=0.05)
# The published evaluation keeps boxes of any score, with points or without.
DETECTION = dict(nms_thr=0.25, score_thr=0., min_points=0)


class BoxHeads(nn.ModuleDict):
    """Five MLPs for class, centre, size, angle bin and angle residual.

    Args:
        dims: Token width.
        num_classes: Classes, each with a sigmoid of its own.
        num_angle_bins: Angle bins.
        dropout: In the MLPs.
    """

    def __init__(self, dims: int, num_classes: int, num_angle_bins: int, dropout: float) -> None:
        outputs = dict(
            class_logits=num_classes, center=3, size=3, angle_logits=num_angle_bins, angle_residuals=num_angle_bins)
        super().__init__({name: box_mlp(dims, channels, dropout) for name, channels in outputs.items()})
        nn.init.constant_(self['class_logits'][-1].bias, -math.log(99))  # a probability of 1 %
        for name in ('center', 'size'):  # training starts from the anchors
            nn.init.zeros_(self[name][-1].weight)
            nn.init.zeros_(self[name][-1].bias)

    def forward(self, x: Tensor, references: Tensor, extent: Tensor | None) -> RelativeBoxes:
        """Boxes ``(B, Q, .)`` of queries ``(B, Q, C)``, relative to ``(B, Q, 6)``; see :func:`decode_relative`."""
        raw = {name: head(x).float() for name, head in self.items()}
        boxes = decode_relative(raw['center'], raw['size'], references, extent)
        yaws = decode_yaw(raw['angle_logits'], raw['angle_residuals'])
        boxes = torch.cat([boxes, yaws.unsqueeze(-1)], -1)
        return RelativeBoxes(raw['class_logits'], raw['center'], raw['size'], raw['angle_logits'],
                             raw['angle_residuals'], references, boxes)


@MODELS.register_module()
class VDETRHead(BoxSetHead):
    """Boxes from the tokens of any indoor backbone.

    1. Projection to the decoder's width; the result is the memory.
    2. Point classes: an MLP classifies every token, for the anchors and as an auxiliary loss.
    3. First layer: every token predicts objectness and a box relative to its anchor.
    4. Selection: the boxes of the most probable tokens become the proposals.
    5. Decoder: queries with boxes attend to each other and to the tokens, also
       by where a token lies as seen from the vertices of the box (3DV-RPE).
       Every layer has heads of its own, whose boxes are relative to the
       proposals; the next layer looks from these boxes.
    6. Training matches each box with several queries for each layer;
       prediction takes the last layer and suppresses duplicates.

    Args:
        num_classes: Object classes K.
        in_channels: Channels of the backbone's ``fp_features[-1]``.
        embed_dims: Width of decoder and heads.
        num_queries: Boxes per scene before suppression; all tokens if they are fewer.
        num_layers: Decoder layers, not counting the first.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the decoder layers.
        dropout: In the decoder.
        mlp_dropout: In the box heads.
        num_angle_bins: 1 for axis-aligned boxes (ScanNet), more for rotated ones.
        anchor_sizes: ``(K, 3)`` mean size of each class in metres; the anchor
            of a token has the size of its most probable class. None for cubes
            of 1 m, as in the published training command.
        query_content: What the queries start from: ``'learned'`` embeddings by
            rank, the ``'tokens'`` selected, ``'both'`` or ``'zeros'``.
        position_encoding: How attention sees positions: ``'vertices'`` (3DV-RPE),
            ``'center'`` (the same from the box's centre only), ``'fourier'``
            (embeddings added to keys and queries instead) or None.
        rpe_channels: Hidden width of the MLPs of 3DV-RPE.
        rpe_in_box_frame: Turn its offsets into the frame of a rotated box.
        relative_to: Boxes are relative to the ``'proposal'`` of the first
            layer or to the box of the ``'previous'`` layer.
        scene_normalized: Changes of centre and size are shares of the scene's
            extent, not of the object's size.
        read_positions: Let attention return where the tokens lie in the box, see :class:`BoxCrossAttention`.
            Not in the paper.
        read_points: Let the decoder layers count the cloud's points in and around the boxes, see
            :class:`BoxPoints`. Not in the paper.
        train_cfg: Changes to the published defaults: ``matcher`` (options of
            :class:`VDETRMatcher`), ``loss_weights`` (by name of
            :data:`LOSS_WEIGHTS`; 0 leaves a loss out) and ``class_target``:
            the probability of a matched query's class should be ``'one'`` or
            the ``'overlap'`` of the boxes (not in the paper).
        test_cfg: Options of :class:`DetectionConfig`; the defaults are those of :data:`DETECTION`.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int = 256,
                 embed_dims: int = 256,
                 num_queries: int = 1024,
                 num_layers: int = 8,
                 num_heads: int = 4,
                 feedforward_channels: int = 256,
                 dropout: float = 0.1,
                 mlp_dropout: float = 0.3,
                 num_angle_bins: int = 1,
                 anchor_sizes: Sequence[Sequence[float]] | None = None,
                 query_content: str = 'learned',
                 position_encoding: str | None = 'vertices',
                 rpe_channels: int = 128,
                 rpe_in_box_frame: bool = False,
                 relative_to: str = 'proposal',
                 scene_normalized: bool = False,
                 read_positions: bool = False,
                 read_points: bool = False,
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(num_classes, in_channels, DetectionConfig(**{**DETECTION, **(test_cfg or {})}), init_cfg)
        if min(num_classes, num_queries, num_angle_bins, num_layers) < 1:
            raise ValueError('num_classes, num_queries, num_layers and num_angle_bins must be at least 1, got '
                             f'{num_classes}, {num_queries}, {num_layers}, {num_angle_bins}.')
        _check_choice('query_content', query_content, ('learned', 'tokens', 'both', 'zeros'))
        _check_choice('position_encoding', position_encoding, ('vertices', 'center', 'fourier', None))
        _check_choice('relative_to', relative_to, ('proposal', 'previous'))
        self.num_queries = num_queries
        self.relative_to = relative_to
        self.scene_normalized = scene_normalized
        self._read_train_cfg(num_angle_bins > 1, **(train_cfg or {}))
        self.register_buffer('anchor_sizes', _anchor_table(anchor_sizes, num_classes), persistent=False)

        self.projection = TokenLayer(in_channels, embed_dims)
        self.point_classes = box_mlp(embed_dims, num_classes, mlp_dropout)
        self.first_layer = VDETRFirstLayer(embed_dims, feedforward_channels, dropout)
        self.adds_tokens = query_content in ('tokens', 'both')
        self.content = None
        if query_content in ('learned', 'both'):
            self.content = nn.Embedding(num_queries, embed_dims)
            nn.init.xavier_uniform_(self.content.weight)
        self.position_embedding = FourierEmbedding(embed_dims) if position_encoding == 'fourier' else None

        def bias() -> VertexBias | None:
            if position_encoding not in ('vertices', 'center'):
                return None
            return VertexBias(num_heads, rpe_channels, position_encoding == 'center', rpe_in_box_frame)

        self.layers = nn.ModuleList(
            VDETRDecoderLayer(embed_dims, num_heads, feedforward_channels, dropout, bias(), read_positions, read_points)
            for _ in range(num_layers))
        self.norm = nn.LayerNorm(embed_dims)
        self.box_heads = nn.ModuleList(
            BoxHeads(embed_dims, num_classes if i else 1, num_angle_bins, mlp_dropout) for i in range(num_layers + 1))

    def _read_train_cfg(self, rotated: bool, matcher: dict | None = None, loss_weights: dict | None = None,
                        class_target: str = 'one') -> None:
        _check_choice('class_target', class_target, ('one', 'overlap'))
        self.by_overlap = class_target == 'overlap'
        self.matcher = VDETRMatcher(rotated, **(matcher or {}))
        self.loss_weights = changed_weights(LOSS_WEIGHTS, loss_weights)

    def class_layers(self) -> list[nn.Module]:
        """See :meth:`BoxSetHead.class_layers`."""
        return [self.point_classes[-1], *(heads['class_logits'][-1] for heads in self.box_heads[1:])]

    def forward(self, feats: dict) -> VDETRPredictions:
        """See :meth:`BoxSetHead.forward`."""
        xyz, features = self.tokens(feats)
        xyz = xyz.float()
        extent = SceneExtent.of(feats['points'][..., :3])
        sides = extent.size.unsqueeze(1) if self.scene_normalized else None
        projected = self.projection(features)
        point_logits = self.point_classes(projected).float()
        anchors = torch.cat([xyz, self.anchor_sizes[point_logits.argmax(-1)]], -1)
        proposing = self.first_layer(projected)
        first = self.box_heads[0](self.norm(proposing), anchors, sides)
        picked = first.class_logits[..., 0].topk(min(self.num_queries, xyz.shape[1])).indices
        proposals = gather(first.boxes.detach(), picked)

        keys = projected
        if self.position_embedding is not None:
            keys = keys + self.position_embedding(extent.normalize(xyz)).to(keys.dtype)
        memory = Memory(projected, keys, xyz, feats['points'][..., :3])
        x, boxes, found = self._start(proposing, picked), proposals, []
        for layer, heads in zip(self.layers, self.box_heads[1:]):
            embedded = None
            if self.position_embedding is not None:
                embedded = self.position_embedding(extent.normalize(boxes[..., :3])).to(keys.dtype)
            x = layer(x, boxes, memory, embedded)
            origin = boxes if self.relative_to == 'previous' else proposals
            found.append(heads(self.norm(x), origin[..., :6], sides))
            boxes = found[-1].boxes.detach()
        return VDETRPredictions(xyz, point_logits, picked, stack_layers([first]), stack_layers(found))

    def _start(self, proposing: Tensor, picked: Tensor) -> Tensor:
        """Content ``(B, Q, C)`` of the queries."""
        tokens = gather(proposing, picked)
        x = tokens if self.adds_tokens else torch.zeros_like(tokens)
        return x if self.content is None else x + self.content.weight[:picked.shape[1]]

    def compute_losses(self, predictions: VDETRPredictions, targets: BoxTargets, points: Tensor) -> dict[str, Tensor]:
        """Losses of the points' classes, of the first layer and of all decoder layers.

        Returns:
            Weighted losses: the last layer's under their names in
            :data:`LOSSES`, layer i's as ``d{i}.{name}``, where layer 0 is the first; and ``loss_point_cls``.
        """
        extent = SceneExtent.of(points).size if self.scene_normalized else None
        first, layers = self.matcher(predictions, targets, extent)
        num_boxes = mean_num_boxes(points.new_tensor(targets.counts))
        groups = [
            gather_loss_inputs(predictions.first, objects(targets), first, extent,
                               num_boxes * self.matcher.first_copies),
            gather_loss_inputs(predictions.layers, targets, layers, extent, num_boxes * self.matcher.copies,
                               self.by_overlap)
        ]
        losses = {name: self.loss_weights[name] * torch.cat([loss(group) for group in groups])
                  for name, loss in LOSSES.items() if self.loss_weights[name]}
        result = by_layer(losses)
        if self.loss_weights['loss_point_cls']:
            value = point_cls_loss(predictions.point_logits, predictions.xyz, targets, num_boxes)
            result['loss_point_cls'] = self.loss_weights['loss_point_cls'] * value
        return result


def _check_choice(name: str, value: str | None, choices: Sequence[str | None]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {", ".join(map(repr, choices))}, got {value!r}.')


def _anchor_table(sizes: Sequence[Sequence[float]] | None, num_classes: int) -> Tensor:
    if sizes is None:
        return torch.ones(num_classes, 3)
    table = torch.tensor(sizes, dtype=torch.float32)
    if table.shape != (num_classes, 3) or not bool((table > 0).all()):
        raise ValueError(f'anchor_sizes must hold three positive sizes for each of {num_classes} classes, got '
                         f'{list(map(list, sizes))}.')
    return table
