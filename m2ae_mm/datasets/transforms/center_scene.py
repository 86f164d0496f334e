"""Scenes around the origin, wherever their frame has it."""
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS


@TRANSFORMS.register_module()
class M2AECenterScene(BaseTransform):
    """Move the middle of a scene's extent in x and y to the origin; heights stay.

    Whole scenes then are where scans are in inference. For points without
    boxes, which would stay where they are.
    """

    def transform(self, results: dict) -> dict:
        """Replace x and y of ``points`` (N, C), mmdet3d's."""
        xy = results['points'].tensor[:, :2]
        results['points'].tensor[:, :2] = xy - (xy.amin(0) + xy.amax(0)) / 2
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
