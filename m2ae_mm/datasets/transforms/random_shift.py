"""Random shifts of scenes."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS


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
