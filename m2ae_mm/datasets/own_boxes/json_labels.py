"""Boxes in the JSON files of labelCloud and of ScanNet."""
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import read_json

from .boxes import LabelledBox, LeftOut, class_name, labelled_box, three_numbers
from .text_labels import Found

# Written by labelCloud beside its label files.
SETTINGS = '_classes.json'
SEGMENTS = '.segs.json'
# Tolerated displacement of the corners of a box, as a share of its diagonal.
_ROUNDED = 0.01
_SHOW = '--angles deg or --angles rad'


def read_boxes(path: Path, left_out: LeftOut, degrees: bool) -> Found:
    """Boxes of a JSON file, in labelCloud's format or ScanNet's.

    Args:
        path: The file.
        left_out: Receives the objects that are no boxes.
        degrees: Whether labelCloud's rotations are in degrees, see :func:`in_degrees`.

    Raises:
        UserError: If it is neither.
    """
    content = read_json(path, dict, 'Save it again.')
    if isinstance(content.get('objects'), list):
        return read_labelcloud(path, content, left_out, degrees)
    if isinstance(content.get('segGroups'), list):
        return read_scannet(path, content, left_out)
    raise UserError('it has no list "objects" (labelCloud) or "segGroups" (ScanNet), but '
                    f'{str(content)[:80] if content else "nothing"}')


def read_labelcloud(path: Path, content: dict[str, Any], left_out: LeftOut, degrees: bool) -> Found:
    """labelCloud's boxes, with ``vertices`` or with ``centroid``, ``dimensions`` and ``rotations``."""
    def box(where: str, entry: Mapping) -> LabelledBox:
        if 'vertices' in entry:
            return labelled_box(where, entry.get('name'), *_of_corners(entry['vertices']))
        turn = _rotation(three_numbers('rotations', _xyz(entry, 'rotations')), degrees)
        return labelled_box(where, entry.get('name'), _xyz(entry, 'centroid'),
                            _xyz(entry, 'dimensions', ('length', 'width', 'height')), turn)

    names = [name for name in (content.get('filename'), path.stem) if isinstance(name, str) and name]
    return [(tuple(names), list(_each(path, content['objects'], left_out, box)))]


def read_scannet(path: Path, content: dict[str, Any], left_out: LeftOut) -> Found:
    """ScanNet's objects: ``obb`` with ``centroid``, ``axesLengths``, ``normalizedAxes``, or lists of segments.

    A box given by segments encloses their points, which a file ending in ``.segs.json`` beside this one lists.
    """
    stem = path.name.removesuffix('.json').removesuffix('.aggregation')
    segments = None

    def box(where: str, entry: Mapping) -> LabelledBox:
        nonlocal segments
        name = class_name(entry.get('label'))
        if isinstance(entry.get('obb'), Mapping):
            axes = _numbers(entry['obb'].get('normalizedAxes'))
            if axes.size != 9:
                raise UserError('its normalizedAxes must be nine finite numbers, got '
                                f'{str(entry["obb"].get("normalizedAxes"))[:80]}')
            axes = axes.reshape(3, 3)
            if not np.allclose(axes @ axes.T, np.eye(3), atol=_ROUNDED):
                raise UserError('its normalizedAxes are not at right angles and of length 1')
            return labelled_box(where, name, entry['obb'].get('centroid'), entry['obb'].get('axesLengths'), axes.T)
        wanted = entry.get('segments')
        if not isinstance(wanted, list) or not all(type(number) is int for number in wanted):
            raise UserError('it has neither an "obb" nor a list of segments')
        if segments is None:
            segments = _segments(path.parent, stem)
        members = np.flatnonzero(np.isin(segments, wanted))
        if not len(members):
            raise UserError(f'none of its {len(wanted)} segments has a point')
        return LabelledBox(where, name, members=members)

    scene = content.get('sceneId') or content.get('scan_id')
    names = [name for name in (isinstance(scene, str) and scene.removeprefix('scannet.'), stem) if name]
    return [(tuple(names), list(_each(path, content['segGroups'], left_out, box)))]


def _segments(folder: Path, stem: str) -> np.ndarray:
    """``(N,)`` segment of each point of a scan."""
    files = sorted(each for each in folder.iterdir()
                   if each.name.startswith((f'{stem}.', f'{stem}_')) and each.name.endswith(SEGMENTS))
    if not files:
        raise UserError(f'its segments are in no file: there is no {stem}*{SEGMENTS} beside it')
    values = read_json(files[0], dict).get('segIndices')
    if not isinstance(values, list) or not all(type(value) is int and abs(value) < 2**62 for value in values):
        raise UserError(f'{files[0].name} has no segIndices, a list of whole numbers')
    return np.array(values, np.int64)


def _each(path: Path, entries: Iterable, left_out: LeftOut, box) -> Iterator[LabelledBox]:
    """Boxes of the entries that describe one; the others are recorded as left out."""
    for number, entry in enumerate(entries, 1):
        where = f'{path.name}, object {number}'
        try:
            if not isinstance(entry, Mapping):
                raise UserError(f'it is {type(entry).__name__}, an object with keys is needed')
            name = entry.get('name', entry.get('label'))
            where = f'{where} ({name})' if isinstance(name, str) and name.strip() else where
            yield box(where, entry)
        except (UserError, TypeError, ValueError) as error:
            left_out.add(where, reason(error))


def _xyz(entry: Mapping, key: str, names: tuple[str, ...] = ('x', 'y', 'z')) -> list:
    value = entry.get(key)
    if not isinstance(value, Mapping) or any(name not in value for name in names):
        raise UserError(f'it has no {key!r} with {", ".join(names)}')
    return [value[name] for name in names]


def _numbers(values: object) -> np.ndarray:
    """An array of finite numbers; an empty one for any other values."""
    try:
        numbers = np.array(values, np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)


def _rotation(angles: np.ndarray, degrees: bool) -> float | np.ndarray:
    """The rotation about x, then y, then z; 0 for none."""
    (cx, cy, cz), (sx, sy, sz) = (function(np.deg2rad(angles) if degrees else angles) for function in (np.cos, np.sin))
    if not angles.any():
        return 0.
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _of_corners(vertices: object) -> tuple[np.ndarray, np.ndarray, float | np.ndarray]:
    """Centre, sides and directions of a box from its corners ``(8, 3)`` in any order."""
    corners = _numbers(vertices)
    if corners.shape != (8, 3):
        raise UserError('its vertices must be eight times three finite numbers')
    center = corners.mean(0)
    away = corners[1:] - corners[0]
    size = np.linalg.norm(away, axis=1).max()
    if not size > 0:
        raise UserError('its vertices are all in one place')
    steps = np.array(list(itertools.product((0, 1), repeat=3)))
    for chosen in itertools.combinations(range(7), 3):
        edges = away[list(chosen)]
        lengths = np.linalg.norm(edges, axis=1)
        if (lengths <= 0).any() or np.abs(edges @ edges.T - np.diag(lengths**2)).max() > _ROUNDED * size**2:
            continue
        gaps = np.linalg.norm((steps @ edges)[:, None] - np.vstack([np.zeros(3), away]), axis=2).min(1)
        if gaps.max() <= _ROUNDED * size:
            return center, lengths, (edges / lengths[:, None]).T
    raise UserError('its eight vertices are not the corners of a box with sides above 0')


def in_degrees(files: Iterable[Path], angles: str | None = None) -> bool:
    """Whether labelCloud's rotations are in degrees, which its label files do not say.

    Args:
        files: JSON files; those of other programs are ignored.
        angles: ``'deg'`` or ``'rad'`` if it is known.

    Raises:
        UserError: If it cannot be determined.
    """
    if angles is not None:
        return angles == 'deg'
    files = list(files)
    for path in sorted({path.with_name(SETTINGS) for path in files}):
        style = _style(path)
        if style in ('centroid_abs', 'centroid_rel'):
            return style == 'centroid_abs'
    values = np.array([value for path in files for value in _rotations(path)])
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values) or values.max() > np.pi + 1e-6:
        return True
    if values.min() < 0:
        return False
    raise UserError(f'rotations in the label files of labelCloud are from {values.min():g} to {values.max():g}, which '
                    f'could be degrees or radians, and there is no {SETTINGS} that says which. Give {_SHOW}.')


def _style(path: Path) -> object:
    try:
        return read_json(path, dict).get('format') if path.is_file() else None
    except ValueError:
        return None


def _rotations(path: Path) -> Iterator[float]:
    try:
        content = read_json(path, dict)
    except ValueError:
        return
    entries = content.get('objects')
    for entry in entries if isinstance(entries, list) else ():
        turn = entry.get('rotations') if isinstance(entry, Mapping) else None
        for value in turn.values() if isinstance(turn, Mapping) else ():
            if isinstance(value, (int, float)):
                yield float(value)
