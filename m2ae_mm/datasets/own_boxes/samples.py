"""Composed rooms as PLY scans with label files in every supported format."""
import csv
import json
from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np

from m2ae_mm.errors import UserError
from m2ae_mm.files import write_json, write_text

from ..io.ply import write_ply
from ..rooms.furniture import CLASSES
from ..rooms.scene import Scene, compose_scene
from .json_labels import SETTINGS
from .text_labels import COLUMNS

# Corners of a box in the order of labelCloud, in sides from its centre.
_CORNERS = np.array([(-1, -1, -1), (-1, 1, -1), (1, 1, -1), (1, -1, -1), (-1, -1, 1), (-1, 1, 1), (1, 1, 1),
                     (1, -1, 1)]) / 2


def write_samples(out: str | Path, style: str, train: int, val: int, points: int = 20000, seed: int = 0,
                  profile: str = 'normal') -> Path:
    """Write rooms with furniture as ``scans/*.ply`` and ``labels/``.

    Args:
        out: Folder, made if missing.
        style: A key of :data:`STYLES`.
        train, val: How many rooms of each split; the splits use different furniture.
        points, seed, profile: See :func:`compose_scene`.

    Returns:
        The folder.

    Raises:
        ValueError: For an unknown format, or no room.
    """
    if style not in STYLES:
        raise UserError(f'label files are written as {", ".join(STYLES)}; got {style!r}.')
    if min(train, val) < 0 or not train + val:
        raise UserError(f'train and val must be 0 or more and not both 0, got {train} and {val}.')
    out = Path(out)
    for folder in ('scans', 'labels'):
        (out / folder).mkdir(parents=True, exist_ok=True)
    names, scenes = [], []
    for split, count in (('train', train), ('val', val)):
        for index in range(count):
            names.append(f'room_{split}_{index:05d}')
            scenes.append(compose_scene(split, index, seed, points, profile))
            write_ply(out / 'scans' / f'{names[-1]}.ply', scenes[-1].points[:, :3].astype(np.float64),
                      scenes[-1].points[:, 3:].round().astype(np.uint8))
    STYLES[style](out / 'labels', names, scenes)
    return out


def _write_labelcloud(folder: Path, names: Sequence[str], scenes: Sequence[Scene], corners: bool = False) -> None:
    def entry(name: str, box: np.ndarray) -> dict:
        if corners:
            return dict(name=name, vertices=(box[:3] + _CORNERS * box[3:6]).tolist())
        return dict(name=name, centroid=dict(zip('xyz', box[:3].tolist())),
                    dimensions=dict(zip(('length', 'width', 'height'), box[3:6].tolist())),
                    rotations=dict(x=0., y=0., z=0.))

    for name, scene in zip(names, scenes):
        write_json(folder / f'{name}.json', dict(
            folder='scans', filename=f'{name}.ply', path=f'scans/{name}.ply',
            objects=[entry(CLASSES[label], box) for label, box in zip(scene.labels, scene.boxes)]))
    write_json(folder / SETTINGS, dict(
        classes=[dict(name=name, id=number, color='#FF0000') for number, name in enumerate(CLASSES)], default=0,
        type='object_detection', format='vertices' if corners else 'centroid_abs'))


def _write_csv(folder: Path, names: Sequence[str], scenes: Sequence[Scene]) -> None:
    text = StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(COLUMNS)
    for name, scene in zip(names, scenes):
        table.writerows([f'{name}.ply', CLASSES[label], *(f'{value:.6g}' for value in box), 0]
                        for label, box in zip(scene.labels, scene.boxes))
    write_text(folder / 'boxes.csv', text.getvalue())


def _write_sunrgbd(folder: Path, names: Sequence[str], scenes: Sequence[Scene]) -> None:
    for name, scene in zip(names, scenes):
        lines = [f'{CLASSES[label]} 0 0 0 0 ' + ' '.join(
            f'{value:.6g}' for value in (*box[:3], *box[[4, 3, 5]] / 2, 1, 0))
            for label, box in zip(scene.labels, scene.boxes)]
        write_text(folder / f'{name}.txt', ''.join(f'{line}\n' for line in lines))


def _write_scannet(folder: Path, names: Sequence[str], scenes: Sequence[Scene]) -> None:
    for name, scene in zip(names, scenes):
        groups = [dict(id=number, objectId=number, segments=[int(instance)], label=CLASSES[label])
                  for number, (instance, label) in enumerate(zip(scene.box_instance, scene.labels))]
        segments = f'{name}.0.010000.segs.json'
        write_json(folder / f'{name}.aggregation.json', dict(
            sceneId=f'scannet.{name}', appId='', segGroups=groups, segmentsFile=f'scannet.{segments}'))
        write_text(folder / segments, json.dumps(dict(sceneId=name, segIndices=scene.instance.tolist())))


STYLES: dict[str, Callable[[Path, Sequence[str], Sequence[Scene]], None]] = {
    'labelcloud': _write_labelcloud,
    'labelcloud-vertices': partial(_write_labelcloud, corners=True),
    'csv': _write_csv,
    'sunrgbd': _write_sunrgbd,
    'scannet': _write_scannet,
}
