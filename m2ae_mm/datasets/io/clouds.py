"""One cloud from a file of any common format."""
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .local import Remarks, finite_rows, local_cloud
from .pcd import parse_pcd
from .ply import read_ply, triangles_of, vertices_of

ARRAYS = ('.npy', '.npz', '.txt', '.xyz')
MESHES = ('.ply', '.off', '.obj', '.stl')
SUFFIXES = (*ARRAYS, '.pcd', *MESHES)
_SEPARATORS = ' \t\r\n,;'


def read_cloud(path: str | Path, mesh_points: int, seed: int = 0, name: str | None = None,
               remarks: Remarks | None = None) -> np.ndarray:
    """Points of a cloud file, or points drawn from a mesh's surface; see :func:`local_cloud`.

    Args:
        path: ``.npy`` or ``.npz`` (key ``points``, or the only array), ``.txt``
            and ``.xyz`` (see :func:`read_columns`), ``.pcd``, or ``.ply .off
            .obj .stl``; the last four may hold faces.
        mesh_points: Points to draw, uniformly by area, if there are faces.
        seed: Of that draw.
        name: For ``remarks``; ``path`` if None.
        remarks: Where points left out and doubts are noted.

    Returns:
        ``(N, 3)`` float32, or float16 as in the file; finite, around an
        origin of their own if they lie far from theirs.

    Raises:
        ValueError: Saying why the file gives no points.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f'unknown suffix {suffix!r}; known are {" ".join(SUFFIXES)}')
    try:
        points, faces = _read_mesh(path, suffix) if suffix in MESHES else (_read_array(path, suffix), None)
    except Exception as error:  # parsers of eight formats raise whatever they like on damaged files
        raise ValueError(f'{type(error).__name__}: {error}') from error
    if points.ndim == 3 and len(points) == 1:
        points = points[0]
    if points.ndim == 2 and len(points) == 3 and points.shape[1] > 9:
        raise ValueError(f'holds an array of shape {points.shape}: each point must be a row, (N, 3)')
    if points.ndim != 2 or points.shape[1] < 3 or not len(points):
        raise ValueError(f'holds an array of shape {points.shape}, not points (N, 3)')
    points, name = points[:, :3], name or str(path)
    if faces is not None:
        points = _surface(points, faces, mesh_points, seed, name, remarks)
    return local_cloud(points, name, remarks)


def read_columns(path: str | Path) -> np.ndarray:
    """``(N, C)`` float64 from text with columns split by blanks, commas or semicolons, which may end lines, too.

    Titles of the columns, the number of points, or both in this order may
    come before the first point.
    """
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        skipped, point = _first_point(file)
        file.seek(0)
        delimiter = next((mark for mark in ';,' if mark in point.rstrip(_SEPARATORS)), None)
        lines = file if delimiter is None and point[-1] not in _SEPARATORS else _without_ends(file)
        return np.loadtxt(lines, np.float64, delimiter=delimiter, skiprows=skipped, ndmin=2)


def _without_ends(lines: Iterable[str]) -> Iterator[str]:
    """Lines without the separators after their last number."""
    return (line.partition('#')[0].rstrip(_SEPARATORS) for line in lines)


def _first_point(file: Iterable[str]) -> tuple[int, str]:
    """How many lines come before the first point, and its line."""
    lines = ((i, text) for i, line in enumerate(file) if (text := line.partition('#')[0].strip()))
    found = next(lines, None)
    # A line with some numbers is a damaged point, about which the parser shall complain.
    if found and not any(_is_number(word) for word in re.split(r'[\s,;]+', found[1])):
        found = next(lines, None)
    if found and found[1].rstrip(_SEPARATORS).isdecimal():
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


def _read_mesh(path: Path, suffix: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Vertices ``(V, 3)`` and faces ``(F, 3)``, None if there are none."""
    if suffix == '.ply':
        elements = read_ply(path)
        return vertices_of(elements), triangles_of(elements)
    import trimesh
    parts = trimesh.load_scene(path, process=False, skip_materials=True).dump()
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if meshes:
        mesh = trimesh.util.concatenate(meshes)
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    points = [part.vertices for part in parts if len(getattr(part, 'vertices', ()))]
    return np.concatenate(points) if points else np.empty((0, 3)), None


def _surface(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int, name: str,
             remarks: Remarks | None) -> np.ndarray:
    """``(count, 3)`` float64 points on the faces, uniformly by area; faces with a corner that is not finite are lost.

    Vertices of no face do not count.
    """
    import trimesh
    finite = finite_rows(vertices)
    whole = finite[faces].all(1)
    if not whole.all():
        lost = faces[~whole]
        if remarks is not None:
            remarks.drop(name, len(np.unique(lost[~finite[lost]])))
        faces = faces[whole]
    if not len(faces):
        raise ValueError(f'none of {len(whole)} faces has three finite corners')
    used, corners = np.unique(faces, return_inverse=True)
    mesh = trimesh.Trimesh(local_cloud(vertices[used], name, remarks), corners.reshape(-1, 3), process=False)
    if not mesh.area > 0:
        raise ValueError(f'{len(faces)} faces without area')
    return np.asarray(trimesh.sample.sample_surface(mesh, count, seed=seed)[0])
