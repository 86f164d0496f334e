"""Scenes with a class for every point, in mmdet3d's layouts for segmentation."""
import pickle
from pathlib import Path

import numpy as np

NAMES = ('floor', 'wall', 'machine')


def labelled_room(seed, num_points=600, values=(0, 1, 2), size=3.):
    """Points (N, 6) of a floor, a wall and a cube on the floor, and a value (N,) for each of the three."""
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 3, num_points)
    xyz = rng.uniform(0, size, (num_points, 3))
    xyz[part == 0, 2] = 0
    xyz[part == 1, 1] = size
    cube = part == 2
    xyz[cube] = rng.uniform(0.3, 0.9, (cube.sum(), 3)) + rng.uniform(0, size / 2, 3) * (1, 1, 0)
    points = np.hstack([xyz, rng.uniform(0, 255, xyz.shape)]).astype(np.float32)
    return points, np.asarray(values, np.int64)[part]


def write_seg_layout(root, splits, prefix='scannet_infos', values=None, chosen=True):
    """Write scenes ``(points, mask)`` by split; ``values`` is what an annotation file says of the masks."""
    root = Path(root)
    for folder in ('points', 'semantic_mask', 'instance_mask', 'seg_info'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for split, scenes in splits.items():
        entries = []
        for i, (points, mask) in enumerate(scenes):
            name = f'{split}_{i:03d}.bin'
            points.tofile(root / 'points' / name)
            for folder in ('semantic_mask', 'instance_mask'):
                mask.tofile(root / folder / name)
            entries.append(dict(lidar_points=dict(num_pts_feats=points.shape[1], lidar_path=name),
                                pts_semantic_mask_path=name, pts_instance_mask_path=name))
        metainfo = dict(dataset='x', info_version='1.1', **({} if values is None else dict(seg_categories=values)))
        (root / f'{prefix}_{split}.pkl').write_bytes(pickle.dumps(dict(metainfo=metainfo, data_list=entries)))
        if chosen:
            np.save(root / 'seg_info' / f'{split}_resampled_scene_idxs.npy', np.arange(len(scenes), dtype=np.int32))
    return root
