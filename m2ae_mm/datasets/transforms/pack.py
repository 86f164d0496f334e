"""The last step of a pipeline."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData

# Of a sample's metainfo, where present.
_META_KEYS = ('sample_idx', 'name', 'category', 'split')


@TRANSFORMS.register_module()
class M2AEPackShape(BaseTransform):
    """What the models take, to be collated by :func:`m2ae_collate`."""

    def transform(self, results: dict) -> dict:
        """Pack one shape.

        Returns:
            ``inputs``: ``dict(points=(N, C) float32)``, and ``data_samples``:
            a ``Det3DDataSample`` with ``gt_label`` (int) unless it is
            negative and ``gt_pts_seg.pts_semantic_mask`` (N,) if there are
            part labels.
        """
        sample = Det3DDataSample(metainfo={key: results[key] for key in _META_KEYS if key in results})
        if results.get('gt_label', -1) >= 0:
            sample.gt_label = int(results['gt_label'])  # a tensor would take shared memory of its own between processes
        if 'pts_semantic_mask' in results:
            labels = torch.from_numpy(np.array(results['pts_semantic_mask'], np.int64))
            sample.gt_pts_seg = PointData(pts_semantic_mask=labels)
        # A memory-mapped array is read-only; a tensor needs memory of its own.
        points = torch.from_numpy(np.array(results['points'], np.float32))
        return dict(inputs=dict(points=points), data_samples=sample)
