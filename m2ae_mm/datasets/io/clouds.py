"""One cloud from a file of any common format."""
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import load_array, load_arrays

from .laser import LASER, read_laser
from .local import Remarks, finite_rows, local_cloud
from .meshes import parse_obj, parse_off, parse_stl
from .pcd import parse_pcd
from .ply import read_ply, triangles_of, vertices_of

ARRAYS = ('.npy', '.npz', '.txt', '.xyz')
MESHES = ('.ply', '.off', '.obj', '.stl', '.glb')
SUFFIXES = (*ARRAYS, '.pcd', *MESHES, *LASER)
_SEPARATORS = ' \t\r\n,;'
# What colours of the points are called in files.
_COLOUR_ARRAYS = ('color', 'colors', 'colour', 'colours', 'rgb')
_COLOUR_PROPERTIES = (('red', 'green', 'blue'), ('r', 'g', 'b'), ('diffuse_red', 'diffuse_green', 'diffuse_blue'))


class Content(NamedTuple):
    """The content of a cloud file, unchanged.

    Attributes:
        points: ``(N, 3)``, in the numbers of the file.
        colours: ``(N, 3)`` uint8 r, g, b; None if there are none.
        faces: ``(F, 3)`` int64 triangles between the points; None if there are none.
    """
    points: np.ndarray
    colours: np.ndarray | None = None
    faces: np.ndarray | None = None


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
        ``(N, 3)`` float32, or float16 as in the file; finite, and centred if they lie far from the origin.

    Raises:
        UserError: Saying why the file gives no points.
    """
    content, name = read_content(path), name or str(path)
    points = content.points
    if content.faces is not None:
        points = surface(content, mesh_points, seed, name, remarks).points
    return local_cloud(points, name, remarks)


def read_content(path: str | Path) -> Content:
    """Points, colours and faces of a file in one of the formats of :data:`SUFFIXES`.

    Raises:
        UserError: Saying why the file gives no points.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f'unknown suffix {suffix!r}; known are {" ".join(SUFFIXES)}')
    try:
        content = _READERS[suffix](path)
    except Exception as error:  # parsers of ten formats raise whatever they like on damaged files
        raise UserError(reason(error)) from error
    return content._replace(points=check_rows(content.points)[:, :3])


def check_rows(points: np.ndarray) -> np.ndarray:
    """Points ``(N, C)``, also from ``(1, N, C)``.

    Raises:
        UserError: For arrays of another shape, or without points.
    """
    if points.dtype.kind not in 'biuf':
        raise UserError(f'holds {points.dtype}, not numbers')
    if points.ndim == 3 and len(points) == 1:
        points = points[0]
    if points.ndim == 2 and len(points) == 3 and points.shape[1] > 9:
        raise UserError(f'holds an array of shape {points.shape}: each point must be a row, (N, 3)')
    if points.ndim != 2 or points.shape[1] < 3 or not len(points):
        raise UserError(f'holds an array of shape {points.shape}, not points (N, 3)')
    return points


def colours_of(values: np.ndarray | None, count: int) -> np.ndarray | None:
    """``(N, 3)`` uint8 from colours in 0..1, 0..255 or 0..65535; None from any other values."""
    if values is None or np.shape(values) != (count, 3) or not count:
        return None
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values
    values = values.astype(np.float64)
    most = values.max()
    if not np.isfinite(values).all() or values.min() < 0 or most > 65535:
        return None
    return (values * (255 if most <= 1 else 1 if most <= 255 else 255 / 65535)).round().astype(np.uint8)


def read_columns(path: str | Path) -> np.ndarray:
    """``(N, C)`` float64 from text with columns separated by blanks, commas or semicolons, which may also end lines.

    Titles of the columns, the number of points, or both in this order may precede the first point.
    """
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        skipped, point = _first_point(file)
        file.seek(0)
        delimiter = next((mark for mark in ';,' if mark in point.rstrip(_SEPARATORS)), None)
        lines = file if delimiter is None and point[-1] not in _SEPARATORS else _strip_ends(file)
        try:
            return np.loadtxt(lines, np.float64, delimiter=delimiter, skiprows=skipped, ndmin=2)
        except ValueError as error:  # whose text ends with an option of NumPy
            raise ValueError(str(error).partition('; use `usecols`')[0]) from error


def _strip_ends(lines: Iterable[str]) -> Iterator[str]:
    """Lines without the separators after their last number."""
    return (line.partition('#')[0].rstrip(_SEPARATORS) for line in lines)


def _first_point(file: Iterable[str]) -> tuple[int, str]:
    """The number of lines before the first point, and its line."""
    lines = ((i, text) for i, line in enumerate(file) if (text := line.partition('#')[0].strip()))
    found = next(lines, None)
    # A line with only some numbers is a damaged point, which the parser reports.
    if found and not any(is_number(word) for word in re.split(r'[\s,;]+', found[1])):
        found = next(lines, None)
    if found and found[1].rstrip(_SEPARATORS).isdecimal():
        found = next(lines, None)
    if not found:
        raise UserError('no lines of numbers')
    return found


def is_number(word: str) -> bool:
    """Whether Python reads a word as a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _from_rows(rows: np.ndarray, colours: np.ndarray | None = None) -> Content:
    """Content of an array; columns 4 to 6 are taken for colours if their values allow it and no others are given."""
    rows = check_rows(rows)
    if colours is None and rows.shape[1] >= 6:
        colours = rows[:, 3:6]
    return Content(rows[:, :3], colours_of(colours, len(rows)))


def _from_mesh(vertices: np.ndarray, faces: np.ndarray | None) -> Content:
    """Content of a mesh with vertices ``(V, 3)``, or ``(V, 6)`` with colours."""
    return Content(vertices[:, :3], colours_of(vertices[:, 3:], len(vertices)), faces)


def _read_npz(path: Path) -> Content:
    def choose(names: list[str]) -> list[str]:
        if 'points' not in names and len(names) != 1:
            raise UserError(f'{len(names)} arrays and none is called points: {", ".join(names[:6])}')
        return ['points' if 'points' in names else names[0], *[each for each in _COLOUR_ARRAYS if each in names][:1]]

    points, *colours = load_arrays(path, choose).values()
    return _from_rows(points, *colours)


def _read_ply(path: Path) -> Content:
    elements = read_ply(path)
    points = vertices_of(elements)
    names = next((each for each in _COLOUR_PROPERTIES if set(each) <= set(elements['vertex'])), None)
    colours = names and vertices_of(elements, names)
    return Content(points, colours_of(colours, len(points)), triangles_of(elements))


def _read_glb(path: Path) -> Content:
    import trimesh
    parts = trimesh.load_scene(path, process=False, skip_materials=True).dump()
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if meshes:
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        faces = np.concatenate([np.asarray(mesh.faces, np.int64) + start for mesh, start in zip(meshes, starts)])
        return Content(*_vertices(meshes), faces)
    parts = [part for part in parts if len(getattr(part, 'vertices', ()))]
    return Content(*_vertices(parts)) if parts else Content(np.empty((0, 3)))


def _vertices(parts: list) -> tuple[np.ndarray, np.ndarray | None]:
    """Of all parts of a scene; colours if all have them at the vertices."""
    points = [np.asarray(part.vertices) for part in parts]
    colours = [_vertex_colours(part, len(each)) for part, each in zip(parts, points)]
    known = all(each is not None for each in colours)
    return np.concatenate(points), np.concatenate(colours) if known else None


def _vertex_colours(part, count: int) -> np.ndarray | None:
    visual = getattr(part, 'visual', None)
    found = np.asarray(visual.vertex_colors) if getattr(visual, 'kind', None) == 'vertex' else np.empty(0)
    return colours_of(found[:, :3] if found.ndim == 2 else None, count)


def surface(content: Content, count: int, seed: int, name: str, remarks: Remarks | None) -> Content:
    """Points drawn on the faces, uniformly by area; faces with a corner that is not finite are left out.

    Vertices without a face are ignored. A mesh far from the origin is centred, see :func:`local_cloud`.
    """
    vertices, colours, faces = content
    import trimesh
    finite = finite_rows(vertices)
    whole = finite[faces].all(1)
    if not whole.all():
        lost = faces[~whole]
        if remarks is not None:
            remarks.drop(name, len(np.unique(lost[~finite[lost]])))
        faces = faces[whole]
    if not len(faces):
        raise UserError(f'none of {len(whole)} faces has three finite corners')
    used, corners = np.unique(faces, return_inverse=True)
    corners = corners.reshape(-1, 3)
    mesh = trimesh.Trimesh(local_cloud(vertices[used], name, remarks), corners, process=False)
    if not mesh.area > 0:
        raise UserError(f'{len(faces)} faces without area')
    points, chosen = trimesh.sample.sample_surface(mesh, count, seed=seed)[:2]
    if colours is not None:
        colours = colours[used][corners[chosen]].mean(1).round().astype(np.uint8)
    return Content(np.asarray(points), colours)


_READERS = {
    '.npy': lambda path: _from_rows(load_array(path)),
    '.npz': _read_npz,
    '.pcd': lambda path: Content(parse_pcd(path.read_bytes())),
    '.ply': _read_ply,
    **dict.fromkeys(('.txt', '.xyz'), lambda path: _from_rows(read_columns(path))),
    '.off': lambda path: _from_mesh(*parse_off(path.read_bytes())),
    '.obj': lambda path: _from_mesh(*parse_obj(path.read_bytes())),
    '.stl': lambda path: _from_mesh(*parse_stl(path.read_bytes())),
    '.glb': _read_glb,
    **dict.fromkeys(LASER, lambda path: _from_rows(*read_laser(path))),
}
