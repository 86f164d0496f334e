"""Scenes in ScanNet's mmdet3d layout, made up."""
import pickle
from pathlib import Path

import numpy as np

CLASSES = ('cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter', 'desk',
           'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub', 'garbagebin')


def box_scene(seed, num_boxes=4, num_points=2000):
    """A floor with axis-aligned boxes on it, points on their surfaces."""
    rng = np.random.default_rng(seed)
    grid = rng.permutation(9)[:num_boxes]
    sizes = rng.uniform(0.5, 1.2, (num_boxes, 3))
    centers = np.stack([grid % 3 * 1.5, grid // 3 * 1.5, sizes[:, 2] / 2], 1)
    floor = rng.uniform([-1, -1, 0], [4, 4, 0.01], (num_points // 2, 3))
    owner = rng.integers(0, num_boxes, num_points - len(floor))
    local = rng.uniform(-0.5, 0.5, (len(owner), 3))
    side = rng.integers(0, 3, len(owner))
    local[np.arange(len(owner)), side] = np.where(rng.random(len(owner)) < 0.5, -0.5, 0.5)
    xyz = np.concatenate([floor, centers[owner] + local * sizes[owner]])
    points = np.hstack([xyz, rng.uniform(0, 255, xyz.shape)]).astype(np.float32)
    return dict(points=points, alignment=np.eye(4), boxes=np.hstack([centers, sizes]).astype(np.float32),
                labels=rng.integers(0, len(CLASSES), num_boxes))


def write_layout(root, train, val, prefix='scannet'):
    """Write scenes as an mmdet3d data set of ScanNet, or of another prefix, under ``root``."""
    root = Path(root)
    (root / 'points').mkdir(parents=True, exist_ok=True)
    for split, scenes in (('train', train), ('val', val)):
        infos = [_write_scene(root, f'{split}_{i:04d}.bin', scene) for i, scene in enumerate(scenes)]
        metainfo = dict(dataset='scannet', info_version='1.0', categories={c: i for i, c in enumerate(CLASSES)})
        with open(root / f'{prefix}_infos_{split}.pkl', 'wb') as file:
            pickle.dump(dict(metainfo=metainfo, data_list=infos), file)
    return root


def _write_scene(root, name, scene):
    scene['points'].tofile(root / 'points' / name)
    return dict(
        lidar_points=dict(num_pts_feats=6, lidar_path=name),
        axis_align_matrix=scene['alignment'].tolist(),
        pts_semantic_mask_path=name,
        pts_instance_mask_path=name,
        instances=[dict(bbox_3d=box.tolist(), bbox_label_3d=int(label))
                   for box, label in zip(scene['boxes'], scene['labels'])])
