"""PLY files: elements of text and binary ones, with lists of any lengths, and points to be written."""
import re
import struct
from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np

from m2ae_mm.files import replacing

_KINDS = dict(char='i1', uchar='u1', short='i2', ushort='u2', int='i4', uint='u4', float='f4', double='f8',
              int8='i1', uint8='u1', int16='i2', uint16='u2', int32='i4', uint32='u4', float32='f4', float64='f8')
_ORDERS = dict(ascii='<', binary_little_endian='<', binary_big_endian='>')


class PlyLists(NamedTuple):
    """One list a row.

    Attributes:
        lengths: ``(n,)`` int64.
        values: All lists, one after the other.
    """
    lengths: np.ndarray
    values: np.ndarray


class _Property(NamedTuple):
    name: str
    kind: np.dtype
    count_kind: np.dtype | None  # of the lengths, if it is a list


class _Element(NamedTuple):
    name: str
    rows: int
    properties: list[_Property]


Elements = dict[str, dict[str, np.ndarray | PlyLists]]


def read_ply(path: str | Path) -> Elements:
    """Every property of every element, in the types of the file; float64 from text.

    Bytes after the last element are ignored, as other programs do.

    Returns:
        By names of element and property, arrays ``(n,)`` or :class:`PlyLists`.

    Raises:
        ValueError: If the header is damaged, or the data are cut short or no numbers.
    """
    layout, elements, body = _parse_header(Path(path).read_bytes())
    if layout == 'ascii':
        body = _numbers_of_text(body, sum(element.rows for element in elements))
    at, found = 0, {}
    for element in elements:
        found[element.name], at = _read_element(element, body, at)
    if layout == 'ascii' and at != len(body):
        raise ValueError(f'PLY text with {len(body) // 8} numbers where its header announces {at // 8}')
    return found


def write_ply(path: Path, xyz: np.ndarray, colours: np.ndarray, **columns: np.ndarray) -> None:
    """A binary PLY file of coloured points.

    Args:
        path: Of the file.
        xyz: ``(N, 3)``; written in double precision, so that coordinates of surveys keep their places.
        colours: ``(N, 3)`` uint8.
        columns: Further properties of the points, ``(N,)`` integers by name.
    """
    fields = [*((axis, '<f8') for axis in 'xyz'), *((name, 'u1') for name in ('red', 'green', 'blue')),
              *((name, '<i4') for name in columns)]
    rows = np.empty(len(xyz), fields)
    for values, names in ((xyz, 'xyz'), (colours, ('red', 'green', 'blue'))):
        for i, name in enumerate(names):
            rows[name] = values[:, i]
    for name, values in columns.items():
        rows[name] = values
    kinds = {'<f8': 'double', 'u1': 'uchar', '<i4': 'int'}
    head = ['ply', 'format binary_little_endian 1.0', f'element vertex {len(rows)}',
            *(f'property {kinds[kind]} {name}' for name, kind in fields), 'end_header', '']
    with replacing(path, durable=False) as file:
        file.write('\n'.join(head).encode() + rows.tobytes())


def vertices_of(elements: Elements, names: tuple[str, ...] = ('x', 'y', 'z')) -> np.ndarray:
    """``(N, C)``: the properties ``names`` of the vertices, float32 only if all of them are float32.

    Raises:
        ValueError: If one of them is not there.
    """
    vertex = elements.get('vertex', {})
    lacking = [name for name in names if not isinstance(vertex.get(name), np.ndarray)]
    if lacking:
        raise ValueError(f'PLY with vertices without {", ".join(lacking)}; they have '
                         f'{", ".join(vertex) or "nothing"}')
    return np.stack([vertex[name] for name in names], 1)


def triangles_of(elements: Elements) -> np.ndarray | None:
    """``(F, 3)`` int64 from polygons and strips of triangles; None if the file has neither.

    Polygons become fans around their first corner.

    Raises:
        ValueError: If faces have no corners, or corners that are no vertices.
    """
    faces = elements.get('face', {})
    polygons = faces.get('vertex_indices', faces.get('vertex_index', next(iter(faces.values()), None)))
    parts = []
    if polygons is not None and not isinstance(polygons, PlyLists) and len(polygons):
        raise ValueError(f'PLY with {len(polygons)} faces without a list of corners; they have {", ".join(faces)}')
    if isinstance(polygons, PlyLists) and len(polygons.lengths):
        parts.append(_fans(*polygons))
    strips = next(iter(elements.get('tristrips', {}).values()), None)
    if isinstance(strips, PlyLists) and len(strips.lengths):
        parts.append(_strips(*strips))
    if not parts:
        return None
    triangles, vertices = np.concatenate(parts), len(vertices_of(elements))
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < vertices:
        raise ValueError(f'PLY with faces between vertices {triangles.min()} and {triangles.max()}, but it has '
                         f'{vertices}, numbered from 0')
    return triangles


def _fans(lengths: np.ndarray, corners: np.ndarray) -> np.ndarray:
    triangles = np.maximum(lengths - 2, 0)
    first = np.repeat(np.cumsum(lengths) - lengths, triangles)
    step = np.arange(triangles.sum()) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return corners.astype(np.int64)[np.stack([first, first + step + 1, first + step + 2], 1)]


def _strips(lengths: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Every three neighbours in a strip are a triangle; -1 begins the next strip."""
    corners, owner = corners.astype(np.int64), np.repeat(np.arange(len(lengths)), lengths)
    triangles = np.stack([corners[:-2], corners[1:-1], corners[2:]], 1)
    return triangles[(triangles != -1).all(1) & (owner[:-2] == owner[2:])]


def _parse_header(content: bytes) -> tuple[str, list[_Element], bytes]:
    newline = next((mark for mark in (b'\r\n', b'\n', b'\r') if content.startswith(b'ply' + mark)), None)
    if newline is None:
        raise ValueError(f'no PLY file, it begins with {content[:8]!r}')
    end = re.search(newline + rb'end_header[ \t\r]*?' + newline, content)
    if end is None:
        raise ValueError('PLY header without end_header')
    layout, elements = '', []
    for line in content[:end.start()].decode('latin1').split(newline.decode())[1:]:
        words = line.split()
        if not words or words[0] in ('comment', 'obj_info'):
            continue
        try:
            if words[0] == 'format':
                layout = words[1]
            elif words[0] == 'element':
                if not words[2].isdigit():
                    raise ValueError
                elements.append(_Element(words[1], int(words[2]), []))
            else:
                elements[-1].properties.append(_parse_property(words[1:], layout))
        except (IndexError, KeyError, ValueError):
            raise ValueError(f'PLY header with the line {line!r}') from None
    if layout not in _ORDERS:
        raise ValueError(f'PLY of format {layout!r}; there are {", ".join(_ORDERS)}')
    return layout, elements, content[end.end():]


def _parse_property(words: list[str], layout: str) -> _Property:
    """From ``[kind, name]`` or ``['list', kind of the length, kind, name]``."""
    kinds = [np.dtype(_ORDERS[layout] + _KINDS[word]) for word in words[:-1] if word != 'list']
    if layout == 'ascii':
        kinds = [np.dtype('<f8')] * len(kinds)
    return _Property(words[-1], kinds[-1], kinds[-2] if words[0] == 'list' else None)


def _numbers_of_text(body: bytes, rows: int) -> bytes:
    """The numbers of the first ``rows`` lines as float64, so that text is read as binary data are."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < rows:
        raise ValueError(f'PLY cut short: {rows} lines of data expected, {len(lines)} found')
    return np.array(b' '.join(lines[:rows]).split(), '<f8').tobytes()


def _read_element(element: _Element, body: bytes, at: int) -> tuple[dict[str, np.ndarray | PlyLists], int]:
    """The properties of an element that begins at byte ``at``, and where it ends."""
    if not element.rows or not element.properties:
        return {each.name: PlyLists(np.empty(0, np.int64), np.empty(0, each.kind)) if each.count_kind else
                np.empty(0, each.kind) for each in element.properties}, at
    # Mostly all rows have lists as long as those of the first: then the element is one array.
    _, first, _ = _walk(element, body, at, 1)
    table = _equal_rows(element, first[0].tolist(), body, at)
    if table is not None:
        values = [table[f'values{i}'].reshape(-1) for i in range(len(element.properties))]
        lengths, end = np.repeat(first, element.rows, 0), at + table.nbytes
    else:
        starts, lengths, end = _walk(element, body, at, element.rows)
        content = np.frombuffer(body, np.uint8)
        values = [_gather(content, starts[:, i], lengths[:, i], each.kind)
                  for i, each in enumerate(element.properties)]
    return {each.name: PlyLists(lengths[:, i], values[i]) if each.count_kind else values[i]
            for i, each in enumerate(element.properties)}, end


def _equal_rows(element: _Element, lengths: list[int], body: bytes, at: int) -> np.ndarray | None:
    """All rows as one structured array; None if their lists are not all as long as ``lengths``."""
    fields: list[tuple] = []
    for i, (each, length) in enumerate(zip(element.properties, lengths)):
        fields += [(f'length{i}', each.count_kind)] if each.count_kind else []
        fields.append((f'values{i}', each.kind, (length, )))
    kind = np.dtype(fields)
    if len(body) - at < element.rows * kind.itemsize:
        if not any(each.count_kind for each in element.properties):
            raise _cut_short(element, (len(body) - at) // kind.itemsize)
        return None
    table = np.frombuffer(body, kind, element.rows, at)
    equal = all((table[f'length{i}'] == length).all() for i, length in enumerate(lengths)
                if f'length{i}' in kind.names)
    return table if equal else None


def _walk(element: _Element, body: bytes, at: int, rows: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Where the values of each property in the first rows begin, how many there are, both (rows, P), and the end."""
    readers = [struct.Struct(('>' if each.count_kind.str[0] == '>' else '<') + each.count_kind.char)
               if each.count_kind else None for each in element.properties]
    steps = [(reader and reader.unpack_from, reader.size if reader else 0, each.kind.itemsize)
             for reader, each in zip(readers, element.properties)]
    starts, lengths = array('q'), array('q')
    for row in range(rows):
        for read_length, head, size in steps:
            length = 1
            if read_length is not None:
                length = int(read_length(body, at)[0]) if at + head <= len(body) else 0
                at += head
            starts.append(at)
            lengths.append(length)
            at += length * size
            if length < 0 or at > len(body):
                raise _cut_short(element, row)
    shape = rows, len(steps)
    return np.array(starts, np.int64).reshape(shape), np.array(lengths, np.int64).reshape(shape), at


def _cut_short(element: _Element, whole: int) -> ValueError:
    return ValueError(f'PLY cut short or damaged: {element.rows} rows of element {element.name} expected, {whole} '
                      'whole ones found')


def _gather(content: np.ndarray, starts: np.ndarray, lengths: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Values from runs of bytes."""
    run = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = np.repeat(starts, lengths) + kind.itemsize * run
    return content[first[:, None] + np.arange(kind.itemsize)].reshape(-1).view(kind)
