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
    (HEADER.format('binary').encode() + b'12', 'buffer'),
])
def test_damaged_files(content, message):
    with pytest.raises(ValueError, match=message):
        parse_pcd(content)
