"""Rooms and label files as people have them, made up."""
import csv
import json

import numpy as np

# Centre, sides and yaw of a table and a cupboard.
TABLE, CUPBOARD = [2.75, 1.8, 0.4, 1.5, 1.6, 0.8, 0.], [0.4, 0.7, 0.5, 0.6, 1.2, 1., 0.]
COLUMNS = ['file', 'class', 'x', 'y', 'z', 'dx', 'dy', 'dz', 'yaw']


def room_points(seed=0, count=3000, ceiling=False):
    """5 x 4 x 2.5 m: four walls, floor, a table and a cupboard, perhaps a ceiling; ``(N, 3)``."""
    rng = np.random.default_rng(seed)
    size = np.array([5, 4, 2.5])
    walls = rng.random((count, 3)) * size
    side = rng.integers(0, 2, count)
    walls[np.arange(count), side] = rng.integers(0, 2, count) * size[side]
    floor = rng.random((count, 3)) * size * [1, 1, 0]
    few = rng.random((count // 6, 3))
    things = [few * [1.5, 1.6, 0] + [2, 1, 0.75], few * [0.6, 1.2, 1] + [0.1, 0.1, 0]]
    return np.concatenate([walls, floor, *things, *[floor + [0, 0, 2.5]] * ceiling])


def write_scans(folder, names=('a', 'b', 'c'), change=lambda xyz: xyz):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        np.save(folder / f'{name}.npy', change(room_points(seed)))
    return folder


def labelcloud(name, *objects):
    return json.dumps(dict(folder='scans', filename=f'{name}.npy', path=f'scans/{name}.npy', objects=objects))


def centroid(name, box, **more):
    """An object in labelCloud's style, in degrees."""
    entry = dict(name=name, centroid=dict(zip('xyz', box[:3])), rotations=dict(x=0, y=0, z=np.rad2deg(box[6])),
                 dimensions=dict(zip(('length', 'width', 'height'), box[3:6])))
    return {**entry, **more}


def write_labels(folder, names=('a', 'b', 'c')):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f'{name}.json').write_text(labelcloud(name, centroid('table', TABLE), centroid('cupboard', CUPBOARD)))
    return folder


def write_table(path, rows, columns=COLUMNS, delimiter=','):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return path
