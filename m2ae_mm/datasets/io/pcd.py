"""Coordinates from PCD files (Point Cloud Library, version 0.7)."""
import struct
from collections.abc import Sequence

import numpy as np

from m2ae_mm.files import most_bytes

_KINDS = {'F': 'f', 'I': 'i', 'U': 'u'}


def parse_pcd(content: bytes) -> np.ndarray:
    """``(N, 3)`` from the bytes of a PCD file: ascii as float64; binary and binary_compressed in the file's own type.

    Raises:
        ValueError: If the header or the data are not as the format says.
    """
    header, body = _split_header(content)
    names = header['FIELDS']
    if not {'x', 'y', 'z'} <= set(names):
        raise ValueError(f'PCD without x, y, z fields: {" ".join(names)}')
    counts = [int(count) for count in header.get('COUNT', ['1'] * len(names))]
    if not set(header['TYPE']) <= _KINDS.keys():
        raise ValueError(f'PCD of the types {" ".join(header["TYPE"])}; there are {", ".join(_KINDS)}')
    kinds = [f'<{_KINDS[kind]}{size}' for kind, size in zip(header['TYPE'], header['SIZE'])]
    points, encoding = int(header['POINTS'][0]), header['DATA'][0]
    if points < 0 or min(counts) < 0 or not len(names) == len(counts) == len(kinds):
        raise ValueError(f'PCD of {points} points with {len(names)} fields, {len(kinds)} types and the counts {counts}')
    if encoding == 'ascii':
        columns = np.cumsum([0, *counts])
        return _ascii(body, columns[[names.index(axis) for axis in 'xyz']], int(columns[-1]), points)
    if encoding == 'binary':
        record = np.dtype([(f'{i}', kind, (count, )) for i, (kind, count) in enumerate(zip(kinds, counts))])
        _check_whole(len(body) // record.itemsize, points)
        rows = np.frombuffer(body, record, points)
        return np.stack([rows[f'{names.index(axis)}'][:, 0] for axis in 'xyz'], 1)
    if encoding == 'binary_compressed':
        return _compressed(body, names, kinds, counts, points)
    raise ValueError(f'PCD with unknown DATA {encoding!r}')


def _split_header(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    while 'DATA' not in header:
        line, newline, content = content.partition(b'\n')
        if not newline:
            raise ValueError('PCD header without a DATA line')
        words = line.decode('ascii', 'replace').split('#')[0].split()
        if words:
            header[words[0].upper()] = words[1:]
    missing = [name for name in ('FIELDS', 'SIZE', 'TYPE', 'POINTS') if not header.get(name)]
    if missing:
        raise ValueError(f'PCD header without {", ".join(missing)}')
    return header, content


def _check_whole(found: int, points: int) -> None:
    if found < points:
        raise ValueError(f'PCD cut short: {points} points expected, {found} found')


def _ascii(body: bytes, axes: Sequence[int], columns: int, points: int) -> np.ndarray:
    lines = [line for line in body.splitlines() if line.strip()][:points]
    # The last line may be cut, too.
    _check_whole(len(lines) - (len(lines) > 0 and len(lines[-1].split()) < columns), points)
    if not lines:
        return np.empty((0, 3))
    return np.loadtxt(lines, np.float64, usecols=list(map(int, axes)), ndmin=2)


def _compressed(body: bytes, names: list[str], kinds: list[str], counts: list[int], points: int) -> np.ndarray:
    """Fields are stored one after the other and compressed as a whole."""
    if len(body) < 8:
        raise ValueError('PCD cut short: it ends before the compressed data')
    packed, size = struct.unpack_from('<II', body)
    block = body[8:8 + packed]
    if len(block) < packed:
        raise ValueError(f'PCD cut short: {packed} bytes of compressed data expected, {len(block)} found')
    if size > most_bytes(len(body)):
        raise ValueError(f'PCD with {size} bytes in {len(body)} compressed ones')
    raw = _unpack(block, size)
    _check_whole(len(raw) // sum(np.dtype(kind).itemsize * count for kind, count in zip(kinds, counts)), points)
    axes, offset = {}, 0
    for name, kind, count in zip(names, kinds, counts):
        if name in ('x', 'y', 'z'):
            axes[name] = np.frombuffer(raw, kind, points, offset)
        offset += np.dtype(kind).itemsize * count * points
    return np.stack([axes[axis] for axis in 'xyz'], 1)


def _unpack(block: bytes, size: int) -> bytes:
    """The bytes of a block; some programs store it as it is where LZF would make it no smaller."""
    try:
        return _decompress_lzf(block, size)
    except ValueError:
        if len(block) != size:
            raise
        return block


def _decompress_lzf(data: bytes, size: int) -> bytes:
    """LZF: a control byte below 32 starts a literal run, any other a copy of earlier output."""
    out, at = bytearray(), 0
    try:
        while at < len(data) and len(out) <= size:
            control = data[at]
            at += 1
            if control < 32:
                out += data[at:at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            start = len(out) - ((control & 31) << 8) - data[at] - 1
            at += 1
            if start < 0:
                raise ValueError('damaged PCD: compressed data point before their beginning')
            # May overlap what it writes, which then repeats.
            copied, length = out[start:start + length + 2], length + 2
            out += (copied * (length // len(copied) + 1))[:length]
    except IndexError:
        raise ValueError('damaged PCD: compressed data end within a copy') from None
    if len(out) != size:
        raise ValueError(f'damaged PCD: {len(out)} bytes after decompression, {size} expected')
    return bytes(out)
