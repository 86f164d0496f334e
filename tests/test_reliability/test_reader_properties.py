"""Readers on whatever hypothesis comes up with: a right result, or the one class of errors."""
import pickle
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from m2ae_mm.checkpoint import read_checkpoint, write_checkpoint
from m2ae_mm.datasets.io.clouds import read_cloud
from m2ae_mm.datasets.io.h5 import read_h5
from m2ae_mm.datasets.io.meshes import parse_obj, parse_off, parse_stl
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.errors import UserError

COMMON = dict(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.floats(-100, 100, width=32)
CORNERS = '0 0 0\n1 0 0\n1 1 0\n0 1 0\n'


def whole_files(folder):
    """One valid file of every kind that strangers give us, and what reads it."""
    points = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    header = ('element vertex 4\nproperty float x\nproperty float y\nproperty float z\nelement face 2\n'
              'property list uchar int vertex_indices\nend_header\n')
    triangles = struct.pack('<B3iB3i', 3, 0, 1, 2, 3, 0, 2, 3)
    pcd = ('VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 12\nHEIGHT 1\nPOINTS 12\nDATA ')
    torch.save(dict(state_dict=dict(weight=torch.from_numpy(points)), meta=dict(epoch=1)), folder / 'a.pth')
    torch.save(dict(weight=torch.from_numpy(points)), folder / 'old.pth', _use_new_zipfile_serialization=False)
    write_checkpoint(dict(weight=torch.from_numpy(points), bias=torch.tensor(2.)), folder / 'a.safetensors')
    save_file(dict(weight=torch.from_numpy(points)), folder / 'other.safetensors')
    np.save(folder / 'a.npy', points)
    np.savez_compressed(folder / 'a.npz', points=points)
    np.savetxt(folder / 'a.txt', points)
    with h5py.File(folder / 'a.h5', 'w') as file:
        file['data'], file['label'] = points[None], np.zeros((1, 1), np.uint8)
    (folder / 'a.pkl').write_bytes(pickle.dumps([points, dict(a='b'), [1, 2.5]]))
    (folder / 'text.ply').write_text(f'ply\nformat ascii 1.0\n{header}{CORNERS}3 0 1 2\n3 0 2 3\n')
    (folder / 'a.ply').write_bytes(f'ply\nformat binary_little_endian 1.0\n{header}'.encode() + np.fromstring(
        CORNERS, '<f4', sep=' ').tobytes() + triangles)
    (folder / 'a.off').write_text(f'OFF\n4 2 0\n{CORNERS}3 0 1 2\n3 0 2 3\n')
    (folder / 'a.obj').write_text('v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1/1 2/1 3\nf -1 -2 -3\n')
    (folder / 'a.stl').write_bytes(bytes(80) + struct.pack('<I12fH', 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0))
    (folder / 'text.stl').write_text('solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n'
                                     'vertex 0 1 0\nendloop\nendfacet\nendsolid a\n')
    (folder / 'a.pcd').write_bytes((pcd + 'binary\n').encode() + points.tobytes())
    stored = points.T.tobytes()
    literal = b''.join(bytes([len(part) - 1]) + part for part in (stored[i:i + 32] for i in range(0, len(stored), 32)))
    (folder / 'packed.pcd').write_bytes((pcd + 'binary_compressed\n').encode() + struct.pack(
        '<II', len(literal), len(stored)) + literal)
    names = ('a.npy', 'a.npz', 'a.txt', 'text.ply', 'a.ply', 'a.off', 'a.obj', 'a.stl', 'text.stl', 'a.pcd',
             'packed.pcd')
    return {**dict.fromkeys(('a.pth', 'old.pth', 'a.safetensors', 'other.safetensors'), read_checkpoint),
            'a.h5': read_h5, 'a.pkl': read_pickle, **dict.fromkeys(names, lambda path: read_cloud(path, 20))}


@pytest.fixture(scope='module')
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp('valid')
    readers = whole_files(folder)
    for name, read in readers.items():
        assert len(read(folder / name))
    return folder, readers


KINDS = ['a.pth', 'old.pth', 'a.safetensors', 'other.safetensors', 'a.h5', 'a.pkl', 'a.npy', 'a.npz', 'a.txt',
         'text.ply', 'a.ply', 'a.off', 'a.obj', 'a.stl', 'text.stl', 'a.pcd', 'packed.pcd']


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', KINDS)
def test_damaged_files_are_read_or_refused(valid, tmp_path, name):
    """Cut, with bytes changed, and with bytes added."""
    folder, readers = valid
    content, path = (folder / name).read_bytes(), tmp_path / name

    @settings(max_examples=60, **COMMON)
    @given(st.integers(0, len(content)), st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)),
                                                  max_size=4), st.binary(max_size=8), st.booleans())
    def damaged(end, changes, more, cut):
        changed = bytearray(content)
        for place, value in changes:
            changed[place] = value
        path.write_bytes(bytes(changed[:end] if cut else changed) + more)
        try:
            found = readers[name](path)
        except UserError as error:
            assert str(error)
        else:
            assert name not in ('a.pth', 'a.safetensors') or same(found, readers[name](folder / name))

    damaged()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_flipped_bits_of_our_checkpoints_are_found(valid, tmp_path, name):
    """At every place: the same tensors, or an error."""
    folder, readers = valid
    content, path, found = (folder / name).read_bytes(), tmp_path / name, 0
    expected = readers[name](folder / name)
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1:])
        try:
            assert same(readers[name](path), expected), place
        except UserError:
            found += 1
    assert found > len(content) // 10


@pytest.mark.filterwarnings('ignore')
@settings(max_examples=60, **COMMON)
@given(st.binary(max_size=200))
def test_bytes_are_no_files(tmp_path, content):
    for name in KINDS:
        path = Path(tmp_path, f'bytes{Path(name).suffix}')
        path.write_bytes(content)
        read = dict(pkl=read_pickle, h5=read_h5, pth=read_checkpoint, safetensors=read_checkpoint).get(
            path.suffix[1:], lambda path: read_cloud(path, 5))
        try:
            read(path)
        except UserError as error:
            assert str(error)
        else:
            assert path.suffix in ('.txt', '.xyz', '.pkl')  # a row of numbers is a cloud, 'N.' is None


@settings(max_examples=60, **COMMON)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=3, max_size=12), st.data())
def test_meshes_come_back_as_they_were(points, data):
    """Written as OFF, OBJ (numbers from the front and from the back) and STL, text and binary."""
    corner = st.integers(0, len(points) - 1)
    faces = data.draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=9))
    vertices = np.array(points)
    lines = '\n'.join('{!r} {!r} {!r}'.format(*map(float, row)) for row in points)
    off = f'OFF\n{len(points)} {len(faces)} 0\n{lines}\n' + ''.join(f'3 {a} {b} {c}\n' for a, b, c in faces)
    obj = ''.join(f'v {line}\n' for line in lines.split('\n'))
    front = obj + ''.join(f'f {a + 1}/2/3 {b + 1}//1 {c + 1}\n' for a, b, c in faces)
    back = obj + ''.join('f {} {} {}\n'.format(*(each - len(points) for each in face)) for face in faces)
    for found, triangles in (parse_off(off.encode()), parse_obj(front.encode()), parse_obj(back.encode())):
        assert np.array_equal(found, vertices) and np.array_equal(triangles, faces)
    soup = vertices[np.array(faces)]
    text = 'solid\n' + ''.join('facet normal 0 0 0\nouter loop\n' + ''.join(
        'vertex {!r} {!r} {!r}\n'.format(*map(float, row)) for row in face) + 'endloop\nendfacet\n' for face in soup)
    records = np.zeros(len(faces), [('normal', '<f4', 3), ('corners', '<f4', (3, 3)), ('attribute', '<u2')])
    records['corners'] = soup
    binary = bytes(80) + struct.pack('<I', len(faces)) + records.tobytes()
    for found, triangles in (parse_stl((text + 'endsolid\n').encode()), parse_stl(binary)):
        assert np.array_equal(found[triangles], soup)
