"""Crops and shifts of scenes and their boxes."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthInstance3DBoxes

from ..scene_geometry import scene_bounds

_PER_POINT = ('points', 'pts_instance_mask', 'pts_semantic_mask')
_PER_BOX = ('gt_bboxes_3d', 'gt_labels_3d')
_ATTEMPTS = 100  # published code


@TRANSFORMS.register_module()
class ThreeDETRRandomCuboid(BaseTransform):
    """Keep the points of a random cuboid and the boxes centred among them.

    The published 3DETR code trains with it on ScanNet (the defaults here) and
    on SUN RGB-D; it is DepthContrast's crop made aware of boxes. The cuboid is
    centred at a random point, its sides are random shares of the scene's, and
    the shares of at least one pair of axes are similar. A crop with too few points, or
    without boxes in a scene that has some, is drawn again; when no attempt
    succeeds the scene stays whole.

    Args:
        min_points: Points that must be left. Scenes with fewer stay whole.
        aspect: Least ratio, smaller to larger, of the shares of one pair of axes.
        min_crop: Least share of the scene's side.
        max_crop: Largest share.
    """

    def __init__(self,
                 min_points: int = 30000,
                 aspect: float = 0.8,
                 min_crop: float = 0.5,
                 max_crop: float = 1.) -> None:
        if not 0 < min_crop <= max_crop <= 1:
            raise ValueError(f'need 0 < min_crop <= max_crop <= 1, got {min_crop} and {max_crop}.')
        self.min_points = min_points
        self.aspect = aspect
        self.min_crop = min_crop
        self.max_crop = max_crop

    def transform(self, results: dict) -> dict:
        """Crop ``points``, and boxes, labels and masks of points if loaded."""
        points = results['points'].coord.numpy()
        centers = results['gt_bboxes_3d'].gravity_center.numpy() if 'gt_bboxes_3d' in results else np.empty((0, 3))
        if len(points) < self.min_points:
            return results
        sides = np.ptp(points, axis=0)
        for _ in range(_ATTEMPTS):
            shares = np.random.uniform(self.min_crop, self.max_crop, 3)
            if not self._is_balanced(shares):
                continue
            middle = points[np.random.randint(len(points))]
            inside = (np.abs(points - middle) <= sides * shares / 2).all(1)
            if inside.sum() < self.min_points:
                continue
            low, high = points[inside].min(0), points[inside].max(0)
            kept = ((centers >= low) & (centers <= high)).all(1)
            if kept.any() or len(centers) == 0:
                return self._crop(results, inside, kept)
        return results

    def _is_balanced(self, shares: np.ndarray) -> bool:
        """Sorted shares: the most similar pair is one of the two neighbouring pairs."""
        low, middle, high = np.sort(shares)
        return max(low / middle, middle / high) >= self.aspect

    def _crop(self, results: dict, inside: np.ndarray, kept: np.ndarray) -> dict:
        for names, mask in ((_PER_POINT, inside), (_PER_BOX, kept)):
            for name in names:
                if name in results:
                    results[name] = results[name][mask]
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(min_points={self.min_points}, aspect={self.aspect}, '
                f'min_crop={self.min_crop}, max_crop={self.max_crop})')


@TRANSFORMS.register_module()
class M2AERandomShift(BaseTransform):
    """Move a scene along every axis by a random amount, as V-DETR trains.

    mmdet3d's ``GlobalRotScaleTrans`` draws from a normal distribution and moves after scaling.

    Args:
        max_shift: In metres, to either side, drawn uniformly.
    """

    def __init__(self, max_shift: float = 0.4) -> None:
        if max_shift < 0:
            raise ValueError(f'max_shift must not be negative, got {max_shift}.')
        self.max_shift = max_shift

    def transform(self, results: dict) -> dict:
        """Move ``points`` and, if loaded, ``gt_bboxes_3d``."""
        shift = np.random.uniform(-self.max_shift, self.max_shift, 3).astype(np.float32)
        for name in ('points', 'gt_bboxes_3d'):
            if name in results:
                results[name].translate(shift)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_shift={self.max_shift})'


@TRANSFORMS.register_module()
class M2AECenterScene(BaseTransform):
    """Move the middle of a scene's extent in x and y to the origin; heights stay.

    A few points outside, as seen through a window, do not count. Whole scenes
    then lie where inference puts scans. For segmentation: boxes are not moved.
    """

    def transform(self, results: dict) -> dict:
        """Replace x and y of ``points`` (N, C), mmdet3d's."""
        points = results['points'].tensor
        low, high = scene_bounds(points[:, :3].double().numpy())
        points[:, :2] -= torch.from_numpy((low + high)[:2] / 2).to(points)
        return results


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
