"""3DETR and V-DETR as detectors of mmdet3d."""
from typing import Any

from torch import Tensor

from mmdet3d.models.detectors.single_stage import SingleStage3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from ..data_preprocessors import stack_clouds
from ..heads.box_set_head import BoxSetHead


@MODELS.register_module()
class ThreeDETR(SingleStage3DDetector):
    """An indoor backbone, perhaps a neck, and :class:`ThreeDETRHead` or :class:`VDETRHead`.

    Any backbone works that returns ``fp_xyz``, ``fp_features`` and
    ``fp_indices``, such as :class:`ThreeDETREncoder`, :class:`PointM2AEEncoder`
    or mmdet3d's ``PointNet2SASSG``.

    Clouds of different sizes in a batch are stacked by repeating the points of
    smaller ones from the start, up to the largest. With
    :class:`ThreeDETREncoder` that changes no prediction: sampling never picks
    a copy while other points are left, and a ball's copies come after its own
    points and are max-pooled away.

    Args:
        backbone: Config of the backbone.
        bbox_head: Config of the head.
        neck: Config of the neck.
        train_cfg: ``train_cfg`` of the head.
        test_cfg: ``test_cfg`` of the head.
        data_preprocessor: ``Det3DDataPreprocessor`` by default.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self,
                 backbone: dict,
                 bbox_head: dict,
                 neck: dict | None = None,
                 train_cfg: dict | None = None,
                 test_cfg: dict | None = None,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        # The base class writes into the head's config.
        super().__init__(backbone, neck, dict(bbox_head), train_cfg, test_cfg,
                         data_preprocessor or dict(type='mmdet3d.Det3DDataPreprocessor'), init_cfg)

    def _predict(self, batch_inputs_dict: dict, batch_data_samples: list[Det3DDataSample]) -> dict:
        """The clouds ``points`` (B, N, 3) and what the head predicts for them; features for another head."""
        points = stack_clouds(batch_inputs_dict['points'], batch_data_samples)
        if not isinstance(self.bbox_head, BoxSetHead):
            return self.extract_feat(dict(points=points))
        return dict(points=points[..., :3], predictions=self.predict_boxes(points))

    def predict_boxes(self, points: Tensor) -> Any:
        """What the head predicts for clouds ``(B, N, 3 + C)``."""
        return self.bbox_head(self.extract_feat(dict(points=points)))

    def loss(self, batch_inputs_dict: dict, batch_data_samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of all decoder layers, see :meth:`BoxSetHead.loss`."""
        return self.bbox_head.loss(self._predict(batch_inputs_dict, batch_data_samples), batch_data_samples)

    def predict(self, batch_inputs_dict: dict, batch_data_samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Each sample receives ``pred_instances_3d``: ``bboxes_3d``, ``scores_3d``, ``labels_3d``."""
        features = self._predict(batch_inputs_dict, batch_data_samples)
        results = self.bbox_head.predict(features, batch_data_samples)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def extract_feat(self, batch_inputs_dict: dict) -> dict:
        """Tokens of a batch.

        Args:
            batch_inputs_dict: ``points``, B clouds ``(n_b, 3 + C)``.

        Returns:
            What backbone and neck return, and ``points`` ``(B, N, 3)``, whose
            extent the head needs.

        Raises:
            ValueError: For an empty cloud, NaN or infinite values, or columns
                that differ between clouds or from what the backbone takes.
        """
        points = stack_clouds(batch_inputs_dict['points'])
        feats = self.backbone(points)
        if self.with_neck:
            feats = self.neck(feats)
        return {**feats, 'points': points[..., :3]}
