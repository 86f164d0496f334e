"""Vertices and faces of OFF, OBJ and STL files; what is cut short or contradicts itself is refused."""
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

# Vertices (V, 3) float64, (V, 6) with red, green and blue; and faces (F, 3) int64 or None if the file has none.
Mesh = tuple[np.ndarray, np.ndarray | None]


def parse_off(content: bytes) -> Mesh:
    """Of an OFF file as text, with colours or without; normals and texture coordinates are ignored.

    Raises:
        ValueError: If it contradicts its header.
    """
    lines = [line for each in content.splitlines() if (line := each.partition(b'#')[0].strip())]
    header = re.match(rb'(ST)?C?N?OFF\b|OFF(?=\d)', lines[0]) if lines else None
    if header is None:
        raise ValueError(f'no OFF file, it begins with {content[:8]!r}')
    rest = lines[0][header.end():].strip()
    if rest.upper().startswith(b'BINARY'):
        raise ValueError('a binary OFF file, which is not read; save it as text')
    lines = [rest, *lines[1:]] if rest else lines[1:]
    counts = lines[0].split()[:2] if lines else []
    if len(counts) < 2 or not all(count.isdigit() for count in counts):
        raise ValueError(f'OFF with the counts {b" ".join(counts)!r}; two whole numbers, of vertices and faces, are '
                         'needed')
    vertices, faces = map(int, counts)
    if len(lines) - 1 < vertices + faces:
        raise ValueError(f'OFF cut short: {vertices} vertices and {faces} faces expected, {len(lines) - 1} lines found')
    points = _vertices(lines[1:1 + vertices], coloured=header.group().startswith(b'COFF'))
    polygons = []
    for line in lines[1 + vertices:1 + vertices + faces]:
        words = line.split()
        if not words[0].isdigit() or len(words) - 1 < int(words[0]):
            raise ValueError(f'OFF cut short or damaged: a face {line!r}')
        polygons.append(words[1:1 + int(words[0])])
    return points, _triangles(polygons, [0] * faces, vertices, first=0) if faces else None


def parse_obj(content: bytes) -> Mesh:
    """Of an OBJ file; materials, normals, texture coordinates, lines and single points are ignored.

    Raises:
        ValueError: If a vertex has fewer than three numbers, or a face has fewer
            than three corners or corners that do not exist.
    """
    vertices: list[bytes] = []
    polygons: list[list[bytes]] = []
    before: list[int] = []  # vertices before each face, from which negative numbers count backwards
    for line in content.replace(b'\\\r\n', b' ').replace(b'\\\n', b' ').splitlines():
        kind, *rest = line.split(None, 1) or [b'']
        if kind == b'v':
            vertices.append(rest[0].partition(b'#')[0] if rest else b'')
        elif kind == b'f':
            words = rest[0].partition(b'#')[0].split() if rest else []
            polygons.append([word.partition(b'/')[0] for word in words])
            before.append(len(vertices))
    points = _vertices(vertices, coloured=True)
    return points, _triangles(polygons, before, len(vertices), first=1) if polygons else None


def parse_stl(content: bytes) -> Mesh:
    """Of an STL file, binary or text; each face has vertices of its own.

    Raises:
        ValueError: If it is cut short.
    """
    count = struct.unpack_from('<I', content, 80)[0] if len(content) >= 84 else 0
    if content.lstrip()[:5].lower() == b'solid' and len(content) != 84 + 50 * count:
        facets, ends = (len(re.findall(word, content, re.I)) for word in (rb'\bfacet\b', rb'\bendfacet\b'))
        corners = re.findall(rb'^\s*vertex\s+(.*)$', content, re.I | re.M)
        if len(corners) != 3 * facets or ends != facets or not re.search(rb'\bendsolid\b', content, re.I):
            raise ValueError(f'STL cut short or damaged: {facets} faces begin, {ends} end, with {len(corners)} corners')
        points = _numbers(corners, 3)
    else:
        if len(content) < 84 or len(content) < 84 + 50 * count:
            raise ValueError(f'STL cut short: {count} faces expected, {max(len(content) - 84, 0) // 50} found')
        record = np.dtype([('normal', '<f4', 3), ('corners', '<f4', (3, 3)), ('attribute', '<u2')])
        points = np.frombuffer(content, record, count, 84)['corners'].reshape(-1, 3).astype(np.float64)
    return points, np.arange(len(points)).reshape(-1, 3) if len(points) else None


def _vertices(lines: Sequence[bytes], coloured: bool) -> np.ndarray:
    """``(n, 3)``, or ``(n, 6)`` if ``coloured`` and every line has colours after its coordinates."""
    coloured = coloured and bool(lines) and all(len(line.split(None, 6)) >= 6 for line in lines)
    return _numbers(lines, 6 if coloured else 3)


def _numbers(lines: Sequence[bytes], columns: int) -> np.ndarray:
    """``(n, columns)`` float64, the first numbers of each line."""
    if not lines:
        return np.empty((0, columns))
    return np.loadtxt(lines, np.float64, comments=None, usecols=range(columns), ndmin=2)


def _triangles(polygons: Iterable[list[bytes]], before: Sequence[int], vertices: int, first: int) -> np.ndarray:
    """``(F, 3)`` fans around the first corner of each polygon; polygons with equally many corners come together.

    Args:
        polygons: Numbers of their corners, as text.
        before: How many vertices come before each.
        vertices: How many there are.
        first: Number of the first vertex.
    """
    groups: dict[int, tuple[list, list]] = defaultdict(lambda: ([], []))
    for polygon, seen in zip(polygons, before):
        corners, counts = groups[len(polygon)]
        corners.append(polygon)
        counts.append(seen)
    parts = []
    for length, (corners, counts) in groups.items():
        if length < 3:
            raise ValueError(f'cut short or damaged: a face of {length} corners')
        numbers = np.array(corners, np.float64)
        if not (np.abs(numbers) < 2**53).all() or (numbers % 1).any():
            raise ValueError('faces with corners that are no whole numbers')
        table = numbers.astype(np.int64)
        table = np.where((table < 0) & (first > 0), table + np.array(counts)[:, None], table - first)
        if not 0 <= table.min() <= table.max() < vertices:
            raise ValueError(f'faces between vertices {table.min() + first} and {table.max() + first}, but there are '
                             f'{vertices}, numbered from {first}')
        fans = np.arange(length - 2)
        parts.append(np.stack([np.broadcast_to(table[:, :1], (len(table), len(fans))), table[:, 1:-1], table[:, 2:]],
                              2).reshape(-1, 3))
    return np.concatenate(parts)
