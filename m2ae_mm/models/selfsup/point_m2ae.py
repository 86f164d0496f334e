"""Point-M2AE: masked autoencoding of point clouds (paper section 3)."""
import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from ..data_preprocessors import stack_clouds
from ..heads.point_m2ae_pretrain_head import Reconstruction
from ..layers.scales_and_masks import Generators, Scale, back_project_mask, independent_masks, random_mask


@MODELS.register_module()
class PointM2AE(BaseModel):
    """Backbone (encoder), neck (decoder) and head (reconstruction).

    Any backbone with ``build_scales`` and ``encode`` can be pre-trained, among
    them :class:`PointM2AEEncoder` and :class:`ThreeDETREncoder`.

    Args:
        backbone: Config of the encoder.
        neck: Config of the decoder.
        head: Config of the reconstruction head.
        mask_ratio: Share of the coarsest centres to mask (0.8 in the paper).
        multi_scale_masking: Back-project the coarsest mask; False masks every
            scale independently (the ablation of table 8).
        data_preprocessor: ``Det3DDataPreprocessor`` by default.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self,
                 backbone: dict,
                 neck: dict,
                 head: dict,
                 mask_ratio: float = 0.8,
                 multi_scale_masking: bool = True,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='Det3DDataPreprocessor')), init_cfg)
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio is the masked share of the coarsest centres, in (0, 1); got {mask_ratio}.')
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.head = MODELS.build(head)
        self.mask_ratio = mask_ratio
        self.multi_scale_masking = multi_scale_masking

    def make_masks(self, scales: list[Scale], generator: Generators = None) -> list[Tensor]:
        """One ``(B, N_i)`` mask per scale, ``True`` = masked."""
        if not self.multi_scale_masking:
            return independent_masks(scales, self.mask_ratio, generator)
        return back_project_mask(random_mask(scales[-1].centers, self.mask_ratio, generator), scales)

    def extract_feat(self, points: Tensor) -> Tensor:
        """``(B, C_S)`` shape features of unmasked clouds: mean + max over the coarsest tokens.

        What the linear SVM sees (paper section 4.2). As in pre-training, fine
        centres that belong to no coarser group are left out: the published
        evaluation back-projects an empty mask.
        """
        scales = self.backbone.build_scales(points)
        nothing = torch.zeros_like(scales[-1].indices, dtype=torch.bool)
        return self.pool_visible(points, scales, back_project_mask(nothing, scales))

    def pool_visible(self, points: Tensor, scales: list[Scale], masked: list[Tensor]) -> Tensor:
        """``(B, C)`` features of shapes from what is visible; arguments as of :meth:`reconstruct`."""
        return self.pool(self.backbone.encode(points, scales, masked), masked)

    def pool(self, tokens: list[Tensor], masked: list[Tensor]) -> Tensor:
        """``(B, C)`` features of shapes from tokens ``(B, N_i, C_i)`` and masks ``(B, N_i)`` of all scales."""
        return pool_tokens(tokens[-1])

    def loss(self, points: Tensor) -> dict[str, Tensor]:
        """The head's losses of a batch ``(B, N, 3 + C)`` under fresh masks."""
        scales = self.backbone.build_scales(points)
        return self.masked_loss(points, scales, self.make_masks(scales))

    def masked_loss(self, points: Tensor, scales: list[Scale], masked: list[Tensor]) -> dict[str, Tensor]:
        """The head's losses; arguments as of :meth:`reconstruct`."""
        return self.head.loss(self.reconstruct(points, scales, masked))

    def reconstruct(self, points: Tensor, scales: list[Scale], masked: list[Tensor]) -> Reconstruction:
        """Encode what is visible, decode and predict what is masked.

        Args:
            points: ``(B, N, 3 + C)``.
            scales: Their scales, fine to coarse.
            masked: ``(B, N_i)`` bool per scale, ``True`` = masked.

        Returns:
            Predicted and true neighbourhoods.
        """
        features = self.backbone.encode(points, scales, masked)
        decoded = self.neck(features, scales, masked)
        last = len(scales) - self.neck.num_stages + 1
        return self.head(decoded, points, scales[:last], masked[:last])

    def forward(self, inputs: dict, data_samples: list[Det3DDataSample] | None = None, mode: str = 'tensor'):
        """Entry point of mmengine.

        Args:
            inputs: ``points``: list of B clouds ``(N, 3 + C)``, or a tensor.
            data_samples: Receive the prediction in mode ``'predict'``.
            mode: ``'loss'`` for training, ``'tensor'`` for shape features
                ``(B, C_S)``, ``'predict'`` for reconstructions of held-out clouds.
        """
        points = stack_clouds(inputs['points'], data_samples)
        if mode == 'loss':
            return self.loss(points)
        if mode == 'tensor':
            return self.extract_feat(points)
        if mode == 'predict':
            return self.predict(points, data_samples)
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}.")

    def predict(self, points: Tensor, data_samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Add reconstruction and loss to each sample.

        Each sample receives ``visible_points`` (the union of the visible
        scale-1 groups) and ``reconstructed_points``, both ``(., 3)``, and the
        cloud's Chamfer distance as ``reconstruction_loss``. The mask depends
        on the sample's index only, so that figures of different checkpoints
        compare.
        """
        generators = [torch.Generator().manual_seed(sample.metainfo.get('sample_idx', position))
                      for position, sample in enumerate(data_samples)]
        scales = self.backbone.build_scales(points)
        masked = self.make_masks(scales, generators)
        result = self.reconstruct(points, scales, masked)
        parts = result.split()
        losses = torch.stack([self.head.loss(part)['loss_chamfer'] for part in parts]).tolist()
        for i, (sample, part) in enumerate(zip(data_samples, parts)):
            predicted, _, centers = part.select()
            shown = scales[0].neighbors[i][~masked[0][i]].unique()
            sample.reconstruction_loss = losses[i]
            sample.visible_points = points[i][shown, :3]
            sample.reconstructed_points = (predicted + centers.unsqueeze(1)).flatten(0, 1)
        return data_samples


TOKEN_POOLINGS = ('max+mean', 'max', 'mean')


def pool_tokens(tokens: Tensor, masked: Tensor | None = None, pooling: str = 'max+mean') -> Tensor:
    """``(B, M, C)`` to ``(B, C)`` float32: over the tokens that are visible in ``masked`` (B, M).

    ``pooling`` is one of :data:`TOKEN_POOLINGS`; ``'max+mean'`` is their sum.
    """
    tokens, pooled = tokens.float(), 0
    left_out = None if masked is None else masked.unsqueeze(-1)
    if 'mean' in pooling:
        pooled = tokens.mean(1) if masked is None else tokens.masked_fill(left_out, 0).sum(1) / (~left_out).sum(1)
    if 'max' in pooling:
        pooled = pooled + (tokens if masked is None else tokens.masked_fill(left_out, -torch.inf)).amax(1)
    return pooled
