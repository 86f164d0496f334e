"""Tiny data sets in the published layouts, for tests."""
from pathlib import Path

import numpy as np

import m2ae_mm.datasets  # noqa: F401


def shape_points(seed, num_points):
    """A box or an ellipsoid surface of random proportions, by the parity of the seed: (N, 3) float32."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_points, 3))
    x /= np.abs(x).max(1, keepdims=True) if seed % 2 else np.linalg.norm(x, axis=1, keepdims=True)
    return (x * rng.uniform(0.5, 1, 3) + rng.uniform(-1, 1, 3)).astype(np.float32)


def write_shapenet55(root, num_train=4, num_test=2, num_points=8192):
    root = Path(root)
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    names = [f'{("02691156", "03001627")[i % 2]}-{i:04x}.npy' for i in range(num_train + num_test)]
    for i, name in enumerate(names):
        np.save(root / 'shapenet_pc' / name, shape_points(i, num_points))
    (root / 'ShapeNet-55' / 'train.txt').write_text('\n'.join(names[:num_train]) + '\n')
    (root / 'ShapeNet-55' / 'test.txt').write_text('\n'.join(names[num_train:]))
    return root
