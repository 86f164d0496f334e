"""Yaw of boxes: turned with the scene, or given up."""
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthInstance3DBoxes


@TRANSFORMS.register_module()
class M2AEBoxYaw(BaseTransform):
    """Says of ``gt_bboxes_3d`` whether their yaw counts, whatever the data set said.

    mmdet3d's ``ScanNetDataset`` takes boxes of seven numbers as axis-aligned:
    steps that flip or rotate the scene leave their yaw as it was. Belongs
    right after ``LoadAnnotations3D``. The ground truth of an evaluation keeps
    its yaw in either case.

    Args:
        keep: Flips and rotations turn the yaw (for heads with several angle
            bins). Otherwise every box becomes the smallest axis-aligned one
            around it.
    """

    def __init__(self, keep: bool) -> None:
        self.keep = keep

    def transform(self, results: dict) -> dict:
        """Boxes of mmdet3d in depth coordinates.

        Raises:
            ValueError: For boxes in other coordinates.
        """
        boxes = results['gt_bboxes_3d']
        if not isinstance(boxes, DepthInstance3DBoxes):
            raise ValueError(f"M2AEBoxYaw takes boxes in depth coordinates, got {type(boxes).__name__}; set "
                             "box_type_3d='Depth' of the data set.")
        values = boxes.tensor[:, :7].clone()
        if not self.keep:
            cos, sin = boxes.yaw.cos().abs(), boxes.yaw.sin().abs()
            length, width = boxes.dims[:, 0], boxes.dims[:, 1]
            values[:, 3] = length * cos + width * sin
            values[:, 4] = length * sin + width * cos
            values[:, 6] = 0
        results['gt_bboxes_3d'] = DepthInstance3DBoxes(values, with_yaw=self.keep)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(keep={self.keep})'
