"""One scan of the raw release: vertices, annotation and boxes."""
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from m2ae_mm.errors import UserError
from m2ae_mm.files import read_json, read_text
from mmdet3d.datasets import ScanNetDataset

from ..io.local import far_origin
from ..io.ply import read_ply, vertices_of
from ..scene_geometry import alignment_problem
from .layout import RawScene

# NYU40 id -> label of the 18 detection classes, in mmdet3d's order.
CLASS_OF_ID = {number: label for label, number in enumerate(ScanNetDataset.METAINFO['seg_valid_class_ids'])}


class Scene(NamedTuple):
    """What mmdet3d needs of a scan.

    Attributes:
        points: ``(N, 6)`` float32: x y z in metres in the *scanner's* frame, r g b 0..255. Where that lies too far
            away for float32, x y z are around an origin of the scan's own, which ``alignment`` takes into account.
        alignment: ``(4, 4)`` float64, from the scanner's frame to the aligned one.
        instance: ``(N,)`` int64, 0 = not annotated, else the object's id + 1; None without annotation.
        semantic: ``(N,)`` int64 NYU40 ids, 0 = not annotated; None without annotation.
        boxes: ``(K, 6)`` float64 gravity centre and size in the aligned frame, of the 18 classes only.
        labels: K labels 0..17.
        origin: ``(3,)`` float64, what was subtracted from the aligned frame; zero unless that lies too far away.
    """
    points: np.ndarray
    alignment: np.ndarray
    instance: np.ndarray | None
    semantic: np.ndarray | None
    boxes: np.ndarray
    labels: list[int]
    origin: np.ndarray


def read_scene(raw: RawScene, nyu40: Mapping[str, int]) -> Scene:
    """Read a scan with all its vertices; ``nyu40`` comes from :func:`read_labels`.

    Where segments belong to several objects, the last one has them, in the
    masks and in the boxes; an object left without vertices has no box.

    Raises:
        ValueError: If a file is damaged or the files contradict each other,
            naming the file and what is wrong.
    """
    points = _read_points(raw.mesh)
    alignment = _read_alignment(raw.meta) if raw.annotated else np.eye(4)
    points[:, :3], alignment, origin = _near(points[:, :3], alignment)
    boxes, labels, instance, semantic = np.zeros((0, 6)), [], None, None
    if raw.annotated:
        instance, semantic = _read_masks(raw, len(points), nyu40)
        boxes, labels = _boxes(_aligned(points[:, :3], alignment), instance, semantic)
    return Scene(points.astype(np.float32), alignment, instance, semantic, boxes, labels, origin)


def _read_points(path: Path) -> np.ndarray:
    """``(N, 6)`` float64 vertices with colours."""
    try:
        points = vertices_of(read_ply(path), ('x', 'y', 'z', 'red', 'green', 'blue')).astype(np.float64)
    except ValueError as error:
        raise ValueError(f'{path.name}: {error}') from error
    if not len(points):
        raise ValueError(f'{path.name}: no vertices')
    bad = ~np.isfinite(points).all(1)
    if bad.any():
        raise ValueError(f'{path.name}: {int(bad.sum())} of {len(points)} vertices are NaN or infinite')
    return points


def _near(xyz: np.ndarray, alignment: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points and alignment that float32 can hold in both frames, and what the aligned one was moved by."""
    alignment, origin = alignment.copy(), np.zeros(3)
    if (middle := far_origin(xyz)) is not None:
        alignment[:3, 3] += alignment[:3, :3] @ middle
        xyz = xyz - middle
    if (middle := far_origin(_aligned(xyz, alignment))) is not None:
        alignment[:3, 3] -= middle
        origin = middle
    return xyz, alignment, origin


def _aligned(xyz: np.ndarray, alignment: np.ndarray) -> np.ndarray:
    return xyz @ alignment[:3, :3].T + alignment[:3, 3]


def _read_alignment(path: Path) -> np.ndarray:
    """``(4, 4)`` from the line ``axisAlignment = ...``."""
    for line in read_text(path).splitlines():
        key, _, value = line.partition('=')
        if key.strip() != 'axisAlignment':
            continue
        numbers = np.array(value.split(), np.float64)
        if numbers.shape != (16, ) or (problem := alignment_problem(numbers.reshape(4, 4))):
            raise ValueError(f'{path.name}: axisAlignment needs 16 numbers, got {value.strip()!r}'
                             f'{f", {problem}" if numbers.shape == (16, ) else ""}; they rotate and translate')
        return numbers.reshape(4, 4)
    raise ValueError(f'{path.name}: no line axisAlignment')


def _read_masks(raw: RawScene, count: int, nyu40: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Object id + 1 and NYU40 id of each of the ``count`` vertices, ``(count,)`` int64 each."""
    of_vertex = _entry(raw.segments, 'segIndices')
    if not _are_numbers(of_vertex):
        raise UserError(f'{raw.segments.name}: segIndices must be whole numbers from 0 on')
    of_vertex = np.asarray(of_vertex, np.int64)
    if of_vertex.shape != (count, ):
        raise ValueError(f'{raw.segments.name}: {of_vertex.size} vertices, but {raw.mesh.name} has {count}')
    groups = _entry(raw.aggregation, 'segGroups')
    _check_groups(raw, groups, nyu40)
    segments, of_vertex = np.unique(of_vertex, return_inverse=True)
    position = {segment: i for i, segment in enumerate(segments.tolist())}
    instance, semantic = np.zeros((2, len(segments)), np.int64)
    for group in groups:
        unknown = [segment for segment in group['segments'] if segment not in position]
        if unknown:
            raise ValueError(f'{raw.aggregation.name}: object {group["objectId"]} has segment {unknown[0]}, which '
                             f'{raw.segments.name} does not have')
        members = [position[segment] for segment in group['segments']]
        instance[members] = group['objectId'] + 1
        semantic[members] = nyu40[group['label']]
    return instance[of_vertex], semantic[of_vertex]


def _check_groups(raw: RawScene, groups: list[dict[str, Any]], nyu40: Mapping[str, int]) -> None:
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise ValueError(f'{raw.aggregation.name}: segGroups is no list of objects')
    for group in groups:
        lacking = [name for name in ('objectId', 'segments', 'label') if name not in group]
        if lacking:
            raise ValueError(f'{raw.aggregation.name}: an object without {", ".join(lacking)}')
        if not isinstance(group['segments'], list) or not _are_numbers(group['segments']):
            raise ValueError(f'{raw.aggregation.name}: object {group["objectId"]} has no list of segments, but '
                             f'{reprlib.repr(group["segments"])}')
        if not isinstance(group['label'], str):
            raise UserError(f'{raw.aggregation.name}: object {group["objectId"]} has the label '
                            f'{reprlib.repr(group["label"])}, which is no text')
    ids = [group['objectId'] for group in groups]
    if not _are_numbers(ids):
        raise ValueError(f'{raw.aggregation.name}: objectIds are numbers from 0 on, got {ids[:5]}')
    twice = sorted({number for number in ids if ids.count(number) > 1})
    if twice:
        raise ValueError(f'{raw.aggregation.name}: several objects have the objectId {twice[0]}')
    unknown = sorted({group['label'] for group in groups} - nyu40.keys())
    if unknown:
        raise ValueError(f'{raw.aggregation.name}: labels that are not in the label table: '
                         f'{", ".join(map(repr, unknown))}')


def _are_numbers(values: list) -> bool:
    """Whether all are whole numbers from 0 on that an array can hold."""
    return all(type(value) is int and 0 <= value < 2**62 for value in values)


def _entry(path: Path, name: str) -> Any:
    """One list of a JSON object."""
    value = read_json(path, dict).get(name)
    if not isinstance(value, list):
        raise ValueError(f'{path.name}: {name} is {type(value).__name__}, not a list')
    return value


def _boxes(xyz: np.ndarray, instance: np.ndarray, semantic: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Smallest aligned boxes around the objects of the 18 classes, in the order of their ids."""
    order = np.argsort(instance, kind='stable')
    ids, first = np.unique(instance[order], return_index=True)
    boxes, labels = [], []
    for number, members in zip(ids.tolist(), np.split(order, first[1:])):
        label = CLASS_OF_ID.get(int(semantic[members[0]]))
        if number == 0 or label is None:
            continue
        low, high = xyz[members].min(0), xyz[members].max(0)
        if not (high > low).all():
            continue  # a single vertex, or a few in a plane: no box that could be learnt
        boxes.append(np.concatenate([(low + high) / 2, high - low]))
        labels.append(label)
    return np.array(boxes).reshape(-1, 6), labels
