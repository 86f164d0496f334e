"""Sampling, normalising and packing one cloud, ``results['points']`` (N, C), and collating several."""
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS

from m2ae_mm.samples import sample_name
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Det3DDataSample, PointData

# Of a sample's metainfo, where present.
_META_KEYS = ('sample_idx', 'name', 'category', 'split')


@TRANSFORMS.register_module()
class M2AESamplePoints(BaseTransform):
    """Keep ``num_points`` points; per-point labels follow.

    A cloud with fewer points keeps them all and repeats some at random.

    Args:
        num_points: Points to keep.
        random: A random subset, in random order; False keeps the first points.
        seed: Draw the same subset of a shape every time (evaluation of files
            whose order is not random).
    """

    def __init__(self, num_points: int, random: bool = True, seed: int | None = None) -> None:
        if num_points < 1:
            raise ValueError(f'num_points must be at least 1, got {num_points}.')
        self.num_points = num_points
        self.random = random
        self.seed = seed

    def transform(self, results: dict) -> dict:
        """Replace ``points`` (N, C) and, if present, ``pts_semantic_mask`` and ``pts_instance_mask`` (N,).

        Raises:
            ValueError: If there are no points.
        """
        if not len(results['points']):
            raise ValueError(f'{sample_name(results)} has no points to sample. Remove it from the data.')
        indices = self._choose(len(results['points']), results.get('sample_idx', 0))
        for key in ('points', 'pts_semantic_mask', 'pts_instance_mask'):
            if key in results:
                results[key] = results[key][indices]
        return results

    def _choose(self, available: int, sample_idx: int) -> np.ndarray | slice:
        if not self.random and available >= self.num_points:
            return slice(self.num_points)
        if self.random and self.seed is None:
            rng = np.random.default_rng(np.random.randint(2**31))  # mmengine seeds numpy in every loader process
        else:
            rng = np.random.default_rng([self.seed or 0, sample_idx])
        if available < self.num_points:
            repeated = rng.integers(available, size=self.num_points - available)
            return np.concatenate([np.arange(available), repeated])
        # Draws n of N by exchanging n positions only, unlike a permutation.
        return rng.choice(available, self.num_points, replace=False)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_points={self.num_points}, random={self.random}, seed={self.seed})'


@TRANSFORMS.register_module()
class M2AENormalizeUnitSphere(BaseTransform):
    """Centre on the mean and scale so that the furthest point is at distance 1.

    Extra columns stay as they are.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``points``."""
        results['points'] = normalize_unit_sphere(results['points'])
        return results


def normalize_unit_sphere(points: np.ndarray) -> np.ndarray:
    """``(N, C)`` float32 with x, y, z in the unit sphere; a single point goes to the origin."""
    xyz = np.array(points[:, :3], np.float64)
    xyz -= xyz.mean(0)
    furthest = np.linalg.norm(xyz, axis=1).max()
    points = np.array(points, np.float32)
    points[:, :3] = xyz / furthest if furthest > 0 else xyz
    return points


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


@FUNCTIONS.register_module()
def m2ae_collate(samples: Sequence[dict]) -> dict:
    """mmengine's ``pseudo_collate`` with the clouds as one tensor where they have one size.

    A loading process hands every tensor on in shared memory of its own, and
    the process that trains would have to open and stack them.

    Returns:
        ``inputs``: ``dict(points=(B, N, C))``, or a list of B clouds of
        different sizes; ``data_samples``: list of B.
    """
    batch = pseudo_collate(samples)
    clouds = batch['inputs']['points']
    if len({cloud.shape for cloud in clouds}) == 1:
        batch['inputs']['points'] = torch.stack(clouds)
    return batch
