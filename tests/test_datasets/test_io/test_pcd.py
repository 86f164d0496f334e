import struct

import numpy as np
import pytest

from m2ae_mm.datasets.io.pcd import parse_pcd

XYZ = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
HEADER = ('# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH 40\n'
          'HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 40\nDATA {}\n')


def binary_rows():
    rows = np.zeros(40, np.dtype([('xyz', '<f4', 3), ('rgb', '<u4')]))
    rows['xyz'] = XYZ
    return rows.tobytes()


def literal_lzf(data):
    return b''.join(bytes([len(data[i:i + 32]) - 1]) + data[i:i + 32] for i in range(0, len(data), 32))


def test_ascii_and_binary():
    text = '\n'.join(f'{x} {y} {z} 255' for x, y, z in XYZ.tolist())
    assert np.array_equal(parse_pcd((HEADER.format('ascii') + text).encode()), XYZ)
    assert np.array_equal(parse_pcd(HEADER.format('binary').encode() + binary_rows()), XYZ)


def test_compressed():
    fields = XYZ.T.tobytes()
    # The colours are 160 zero bytes: one literal zero, then an overlapping copy of 159.
    packed = literal_lzf(fields) + b'\x00\x00' + bytes([7 << 5, 159 - 9, 0])
    body = struct.pack('<II', len(packed), len(fields) + 160) + packed
    assert np.array_equal(parse_pcd(HEADER.format('binary_compressed').encode() + body), XYZ)


@pytest.mark.parametrize('content, message', [
    (b'hello', 'without a DATA line'),
    (b'FIELDS x y\nSIZE 4 4\nTYPE F F\nPOINTS 1\nDATA ascii\n1 2', 'without x, y, z'),
    (b'DATA ascii\n1 2 3', 'without FIELDS'),
    (HEADER.format('binary').encode() + b'12', '40 points expected, 0 found'),
])
def test_damaged_files(content, message):
    with pytest.raises(ValueError, match=message):
        parse_pcd(content)


@pytest.mark.parametrize('encoding', ['ascii', 'binary', 'binary_compressed'])
def test_fields_of_several_numbers_before_the_coordinates(encoding):
    header = ('VERSION 0.7\nFIELDS ring normal z y x\nSIZE 2 8 4 4 4\nTYPE U F F F F\nCOUNT 1 3 1 1 1\n'
              f'POINTS 40\nDATA {encoding}\n')
    rows = np.zeros(40, np.dtype([('ring', '<u2'), ('normal', '<f8', 3), ('zyx', '<f4', 3)]))
    rows['ring'], rows['normal'], rows['zyx'] = np.arange(40), 7, XYZ[:, ::-1]
    if encoding == 'ascii':
        body = '\n'.join(f'{ring} 7 7 7 {z} {y} {x}' for ring, (x, y, z) in enumerate(XYZ.tolist())).encode()
    elif encoding == 'binary':
        body = rows.tobytes()
    else:
        fields = rows['ring'].tobytes() + rows['normal'].T.tobytes() + rows['zyx'].T.tobytes()
        body = struct.pack('<II', len(literal_lzf(fields)), len(fields)) + literal_lzf(fields)
    assert np.array_equal(parse_pcd(header.encode() + body), XYZ)


@pytest.mark.parametrize('encoding', ['ascii', 'binary', 'binary_compressed'])
def test_double_precision_padding_and_organised_clouds(encoding):
    header = ('VERSION 0.7\r\nFIELDS x y z _ none\nSIZE 8 8 8 1 4\nTYPE F F F U F\nCOUNT 1 1 1 4 0\nWIDTH 8\nHEIGHT 5\n'
              f'POINTS 40\nDATA {encoding}\n')
    far = XYZ.astype(np.float64) + [388096.25, 3948996.75, 40]
    rows = np.zeros(40, np.dtype([('xyz', '<f8', 3), ('_', 'u1', 4)]))
    rows['xyz'], rows['_'] = far, 9
    if encoding == 'ascii':
        body = '\r\n'.join(f'{x!r} {y!r} {z!r} 9 9 9 9' for x, y, z in far.tolist()).encode()
    elif encoding == 'binary':
        body = rows.tobytes()
    else:
        fields = far.T.tobytes() + rows['_'].T.tobytes()
        body = struct.pack('<II', len(literal_lzf(fields)), len(fields)) + literal_lzf(fields)
    assert np.array_equal(parse_pcd(header.encode() + body), far)


def test_blocks_that_were_stored_as_they_are():
    fields = XYZ.T.tobytes() + bytes(160)
    body = struct.pack('<II', len(fields), len(fields)) + fields
    assert np.array_equal(parse_pcd(HEADER.format('binary_compressed').encode() + body), XYZ)


@pytest.mark.parametrize('encoding, body, message', [
    ('ascii', b'\n'.join(b'1 2 3 4' for _ in range(39)), '40 points expected, 39 found'),
    ('ascii', b'\n'.join(b'1 2 3 4' for _ in range(39)) + b'\n1 2', '40 points expected, 39 found'),
    ('ascii', b'', '40 points expected, 0 found'),
    ('binary', binary_rows()[:-1], '40 points expected, 39 found'),
    ('binary_compressed', struct.pack('<II', 640, 640) + bytes(600), '640 bytes of .* expected, 600 found'),
    ('binary_compressed', b'123', 'ends before the compressed data'),
    ('binary_compressed', struct.pack('<II', 624, 624) + XYZ.T.tobytes() + bytes(144), '40 points expected, 39 found'),
    ('binary_compressed', struct.pack('<II', 3, 640) + b'\x00\x00\xe0', 'end within a copy'),
])
def test_what_is_cut_short_is_refused_with_what_was_expected(encoding, body, message):
    with pytest.raises(ValueError, match=message):
        parse_pcd(HEADER.format(encoding).encode() + body)


def test_rows_after_the_announced_ones_and_empty_lines_are_left_out():
    rows = [f'{x} {y} {z} 255' for x, y, z in XYZ.tolist()]
    text = '\n\n'.join([*rows, '7 7 7 7', ''])
    assert np.array_equal(parse_pcd((HEADER.format('ascii') + text).encode()), XYZ)


@pytest.mark.parametrize('announced', [639, 641])
def test_compressed_data_of_another_length_are_damaged(announced):
    packed = literal_lzf(XYZ.T.tobytes() + bytes(160))
    body = struct.pack('<II', len(packed), announced) + packed
    with pytest.raises(ValueError, match=f'640 bytes after decompression, {announced} expected'):
        parse_pcd(HEADER.format('binary_compressed').encode() + body)
