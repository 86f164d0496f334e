"""Scenes around the origin, wherever their frame has it."""
import torch
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS

from ..scene_geometry import scene_bounds


@TRANSFORMS.register_module()
class M2AECenterScene(BaseTransform):
    """Move the middle of a scene's extent in x and y to the origin; heights stay.

    A few points outside, as seen through a window, do not count. Whole scenes
    then are where scans are in inference. For points without boxes, which
    would stay where they are.
    """

    def transform(self, results: dict) -> dict:
        """Replace x and y of ``points`` (N, C), mmdet3d's."""
        points = results['points'].tensor
        low, high = scene_bounds(points[:, :3].double().numpy())
        points[:, :2] -= torch.from_numpy((low + high)[:2] / 2).to(points)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
