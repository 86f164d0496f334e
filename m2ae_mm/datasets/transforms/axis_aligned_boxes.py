"""Boxes with a yaw for detectors without one."""
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthInstance3DBoxes


@TRANSFORMS.register_module()
class M2AEAxisAlignedBoxes(BaseTransform):
    """Replaces ``gt_bboxes_3d`` by the smallest axis-aligned boxes around them.

    Belongs after ``LoadAnnotations3D`` and, where the pipeline has it, after
    ``M2AESceneFrame``, which has z point up: steps that flip and rotate then
    treat the boxes as they do those of ScanNet. The ground truth of an
    evaluation keeps its yaw.
    """

    def transform(self, results: dict) -> dict:
        """Boxes of mmdet3d in depth coordinates.

        Raises:
            ValueError: For boxes in other coordinates.
        """
        boxes = results['gt_bboxes_3d']
        if not isinstance(boxes, DepthInstance3DBoxes):
            raise ValueError(f'M2AEAxisAlignedBoxes takes boxes in depth coordinates, got {type(boxes).__name__}; set '
                             "box_type_3d='Depth' of the data set.")
        aligned = boxes.tensor[:, :6].clone()
        cos, sin = boxes.yaw.cos().abs(), boxes.yaw.sin().abs()
        length, width = boxes.dims[:, 0], boxes.dims[:, 1]
        aligned[:, 3] = length * cos + width * sin
        aligned[:, 4] = length * sin + width * cos
        results['gt_bboxes_3d'] = DepthInstance3DBoxes(aligned, box_dim=6, with_yaw=False)
        return results
