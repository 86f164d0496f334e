"""Tiny data sets in the published layouts, for tests."""
import json
import pickle
from pathlib import Path

import numpy as np


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


def write_modelnet40(root, shots=(3, 2), num_points=2000, pickled=False):
    """Two classes; shots: training and test shapes of each; text files or the pickle cache."""
    root = Path(root)
    root.mkdir(parents=True)
    classes = ['airplane', 'night_stand']
    (root / 'modelnet40_shape_names.txt').write_text('\n'.join(classes) + '\n')
    for split, count, first in (('train', shots[0], 0), ('test', shots[1], 100)):
        clouds, labels, names = [], [], []
        for i in range(count * 2):
            label = i % 2
            xyz = shape_points(first + i, num_points)
            clouds.append(np.hstack([xyz, np.zeros_like(xyz)]))
            labels.append(np.array([label], np.int32))
            names.append(f'{classes[label]}_{first + i:04d}')
        if pickled:
            with open(root / f'modelnet40_{split}_8192pts_fps.dat', 'wb') as file:
                pickle.dump([clouds, labels], file)
            continue
        (root / f'modelnet40_{split}.txt').write_text('\n'.join(names))
        for name, cloud in zip(names, clouds):
            folder = root / name.rpartition('_')[0]
            folder.mkdir(exist_ok=True)
            np.savetxt(folder / f'{name}.txt', cloud, fmt='%.6f', delimiter=',')
    return root


def write_h5(path, count, num_classes, num_points=256, first=0):
    import h5py
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        file['data'] = np.stack([shape_points(first + i, num_points) for i in range(count)])
        file['label'] = (np.arange(count) % num_classes).astype(np.uint8)[:, None]


def write_modelnet40_h5(root, num_points=256):
    root = Path(root)
    for i, (split, count) in enumerate((('train', 8), ('train', 4), ('test', 4))):
        write_h5(root / f'ply_data_{split}{i % 2}.h5', count, 2, num_points, 100 * i)
    return root


def write_scanobjectnn(root, num_points=256):
    root = Path(root)
    for k, folder in enumerate(('main_split', 'main_split_nobg')):
        for j, ending in enumerate(('', '_augmentedrot_scale75')):
            for i, (split, count) in enumerate((('training', 8), ('test', 4))):
                path = root / folder / f'{split}_objectdataset{ending}.h5'
                write_h5(path, count, 2, num_points, 1000 * k + 100 * j + 50 * i)
    return root


def write_shapenetpart(root, num_points=300):
    """Two categories, 4 training, 2 validation and 2 test shapes; the part is the sign of x."""
    root = Path(root)
    (root / 'train_test_split').mkdir(parents=True)
    (root / 'synsetoffset2category.txt').write_text('Airplane\t02691156\nBag\t02773838\n')
    first = 0
    for split, count in (('train', 4), ('val', 2), ('test', 2)):
        entries = []
        for i in range(count):
            synset, lowest = (('02691156', 0), ('02773838', 4))[i % 2]
            xyz = shape_points(first, num_points)
            part = lowest + (xyz[:, :1] > xyz[:, 0].mean())
            (root / synset).mkdir(exist_ok=True)
            np.savetxt(root / synset / f'{first:04d}.txt', np.hstack([xyz, np.zeros_like(xyz), part]), fmt='%.6f')
            entries.append(f'shape_data/{synset}/{first:04d}')
            first += 1
        (root / 'train_test_split' / f'shuffled_{split}_file_list.json').write_text(json.dumps(entries))
    return root


def write_fewshot(root, way=5, shot=10, folds=1, test_shots=2, num_points=256):
    folder = Path(root) / f'{way}way_{shot}shot'
    folder.mkdir(parents=True)
    for fold in range(folds):
        episode = {
            split: [(np.hstack([shape_points(1000 * fold + i, num_points)] * 2), i % way, i % way)
                    for i in range(way * count)]
            for split, count in (('train', shot), ('test', test_shots))
        }
        with open(folder / f'{fold}.pkl', 'wb') as file:
            pickle.dump(episode, file)
    return Path(root)


def write_packs(root, num_points=300):
    """A pack of labelled shapes under each name of cad_shapes, and one with parts, in the layout of labeled_parts."""
    root = Path(root)
    root.mkdir(parents=True)
    points = np.stack([shape_points(i, num_points) for i in range(12)]).astype(np.float16)
    split = np.repeat([0, 1], [8, 4]).astype(np.uint8)
    label = np.arange(12) % 2
    for name in ('ldraw', 'kicad', 'sweethome3d'):
        np.savez(root / f'{name}.npz', points=points, label=label, label_coarse=label, split=split)
    np.savez(root / 'labeled_parts.npz', points=points, category=label, split=split,
             part=(2 * label[:, None] + (points[:, :, 0] > 0)).astype(np.int16))
    (root / 'categories.json').write_text(json.dumps(dict(Cup=[0, 1], Vase=[2, 3])))
    return root
