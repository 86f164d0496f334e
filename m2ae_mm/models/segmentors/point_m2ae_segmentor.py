"""Part segmentation with the pre-trained encoder (paper section 4.2)."""
import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData

from ..classifiers.point_m2ae_classifier import gather_labels
from ..data_preprocessors import stack_clouds


@MODELS.register_module()
class PointM2AESegmentor(BaseModel):
    """Encoder and part head. The category of each shape is given, as is usual on ShapeNetPart.

    Args:
        backbone: Config of the encoder.
        head: Config of the part head.
        data_preprocessor: ``M2AEShapePreprocessor`` by default.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self,
                 backbone: dict,
                 head: dict,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='M2AEShapePreprocessor')), init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)

    def forward(self, inputs: dict, data_samples: list[Det3DDataSample], mode: str = 'tensor'):
        """Entry point of mmengine.

        Args:
            inputs: ``points``: list of B clouds ``(N, 3 + C)``, or a tensor. In mode ``'predict'`` clouds that the
                data preprocessor has filled up are cut back to their size.
            data_samples: With the category as ``gt_label``, and for ``'loss'``
                with ``gt_pts_seg.pts_semantic_mask`` (N,).
            mode: ``'loss'``, ``'tensor'`` for logits ``(B, N, parts)``, or
                ``'predict'`` for ``pts_seg_logits.pts_seg_logits`` (parts, N)
                and ``pred_pts_seg.pts_semantic_mask`` (N,) over all parts.
        """
        points = stack_clouds(inputs['points'], data_samples)
        category = gather_labels(data_samples, self.head.num_categories, points.device)
        logits = self.segment(points, category)
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            return self.head.loss(logits, _gather_parts(data_samples, logits))
        if mode == 'predict':
            for sample, scores in zip(data_samples, logits.float()):
                scores = scores[:sample.metainfo.get('filled_from')]
                sample.pts_seg_logits = PointData(pts_seg_logits=scores.T)
                sample.pred_pts_seg = PointData(pts_semantic_mask=scores.argmax(-1))
            return data_samples
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}.")

    def segment(self, points: Tensor, category: Tensor) -> Tensor:
        """``(B, N, 3 + C)`` points and ``(B,)`` categories to ``(B, N, parts)`` logits."""
        scales = self.backbone.build_scales(points)
        features = self.backbone.encode(points, scales)
        return self.head(points[..., :3], scales, features, category)


def _gather_parts(data_samples: list[Det3DDataSample], logits: Tensor) -> Tensor:
    parts = [sample.gt_pts_seg.pts_semantic_mask for sample in data_samples]
    sizes = {len(each) for each in parts}
    if sizes != {logits.shape[1]}:
        raise ValueError(f'clouds of one batch need as many labels as points ({logits.shape[1]}), got {sorted(sizes)}; '
                         'put M2AESamplePoints into the pipeline.')
    stacked = torch.stack(parts)
    if int(stacked.max()) >= logits.shape[2] or int(stacked.min()) < 0:
        raise ValueError(f'part labels {int(stacked.min())} to {int(stacked.max())} do not fit num_parts='
                         f'{logits.shape[2]} of the head.')
    return stacked.to(logits.device)
