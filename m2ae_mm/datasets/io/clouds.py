"""One cloud from a file of any common format."""
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .pcd import parse_pcd

ARRAYS = ('.npy', '.npz', '.txt', '.xyz')
MESHES = ('.ply', '.off', '.obj', '.stl')
SUFFIXES = (*ARRAYS, '.pcd', *MESHES)


def read_cloud(path: str | Path, mesh_points: int, seed: int = 0) -> np.ndarray:
    """Points of a cloud file, or points drawn from a mesh's surface.

    Args:
        path: ``.npy`` or ``.npz`` (key ``points``, or the only array), ``.txt``
            and ``.xyz`` (see :func:`read_columns`), ``.pcd``, or ``.ply .off
            .obj .stl``; the last four may hold faces.
        mesh_points: Points to draw, uniformly by area, if there are faces.
        seed: Of that draw.

    Returns:
        ``(N, 3)`` float32, finite.

    Raises:
        ValueError: Saying why the file gives no points.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f'unknown suffix {suffix!r}; known are {" ".join(SUFFIXES)}')
    try:
        points = _read_mesh(path, mesh_points, seed) if suffix in MESHES else _read_array(path, suffix)
    except Exception as error:  # parsers of eight formats raise whatever they like on damaged files
        raise ValueError(f'{type(error).__name__}: {error}') from error
    if points.ndim == 3 and len(points) == 1:
        points = points[0]
    if points.ndim == 2 and len(points) == 3 and points.shape[1] > 9:
        raise ValueError(f'holds an array of shape {points.shape}: each point must be a row, (N, 3)')
    if points.ndim != 2 or points.shape[1] < 3 or not len(points):
        raise ValueError(f'holds an array of shape {points.shape}, not points (N, 3)')
    points = np.asarray(points[:, :3], np.float32)
    if not np.isfinite(points).all():
        raise ValueError(f'{int((~np.isfinite(points)).any(1).sum())} of {len(points)} points are NaN or infinite')
    return points


def read_columns(path: str | Path) -> np.ndarray:
    """``(N, C)`` float32 from text with columns split by blanks, commas or semicolons.

    Titles of the columns, the number of points, or both in this order may
    come before the first point.
    """
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        skipped, point = _first_point(file)
        file.seek(0)
        delimiter = next((mark for mark in ';,' if mark in point), None)
        return np.loadtxt(file, np.float32, delimiter=delimiter, skiprows=skipped, ndmin=2)


def _first_point(file: Iterable[str]) -> tuple[int, str]:
    """How many lines come before the first point, and its line."""
    lines = ((i, text) for i, line in enumerate(file) if (text := line.partition('#')[0].strip()))
    found = next(lines, None)
    # A line with some numbers is a damaged point, about which the parser shall complain.
    if found and not any(_is_number(word) for word in re.split(r'[\s,;]+', found[1])):
        found = next(lines, None)
    if found and found[1].isdecimal():
        found = next(lines, None)
    if not found:
        raise ValueError('no lines of numbers')
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read_array(path: Path, suffix: str) -> np.ndarray:
    if suffix == '.pcd':
        return parse_pcd(path.read_bytes())
    if suffix in ('.txt', '.xyz'):
        return read_columns(path)
    content = np.load(path, allow_pickle=False)
    if suffix == '.npy':
        return content
    with content:
        if 'points' not in content and len(content.files) != 1:
            raise ValueError(f'several arrays and none is called points: {", ".join(content.files[:6])}')
        return content['points' if 'points' in content else content.files[0]]


def _read_mesh(path: Path, count: int, seed: int) -> np.ndarray:
    import trimesh
    scene = trimesh.load_scene(path, process=False, skip_materials=True)
    faces = [mesh for mesh in scene.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    if not faces:
        points = [part.vertices for part in scene.dump() if len(getattr(part, 'vertices', ()))]
        return np.concatenate(points) if points else np.empty((0, 3))
    mesh = trimesh.util.concatenate(faces)
    if not mesh.area > 0:
        raise ValueError(f'{len(mesh.faces)} faces without area')
    return np.asarray(trimesh.sample.sample_surface(mesh, count, seed=seed)[0])
