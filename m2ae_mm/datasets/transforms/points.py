"""Sampling, normalising and augmenting one cloud, ``results['points']`` (N, C)."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmdet3d.registry import TRANSFORMS


def sample_name(results: dict) -> str:
    """What a sample is called in messages: its name, its file, or its number."""
    file = (results.get('lidar_points') or {}).get('lidar_path')
    return repr(str(results.get('name') or file or f'sample {results.get("sample_idx", "without a name")}'))


def random_generator() -> np.random.Generator:
    """A generator seeded from numpy's global state, which mmengine seeds in every loader process."""
    return np.random.default_rng(np.random.randint(2**31))


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
            rng = random_generator()
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

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def normalize_unit_sphere(points: np.ndarray) -> np.ndarray:
    """``(N, C)`` float32 with x, y, z in the unit sphere; a single point goes to the origin."""
    xyz = np.array(points[:, :3], np.float64)
    xyz -= xyz.mean(0)
    furthest = np.linalg.norm(xyz, axis=1).max()
    points = np.array(points, np.float32)
    points[:, :3] = xyz / furthest if furthest > 0 else xyz
    return points
