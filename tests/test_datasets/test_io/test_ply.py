"""PLY as MeshLab, Blender, PCL and photogrammetry write it."""
import struct

import numpy as np
import pytest
from plyfile import PlyData

from m2ae_mm.datasets.io.clouds import read_cloud
from m2ae_mm.datasets.io.local import Remarks
from m2ae_mm.datasets.io.ply import PlyLists, read_ply, triangles_of, vertices_of

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
CLOUD = np.random.default_rng(0).random((50, 3)).astype(np.float32)
XYZ = 'property float x\nproperty float y\nproperty float z\n'
FACES = 'property list uchar int vertex_indices\n'


def write(path, layout, header, body, newline='\n'):
    text = f'ply\nformat {layout} 1.0\n{header}end_header\n'.replace('\n', newline)
    path.write_bytes(text.encode('utf-8') + body)
    return path


def binary(path, header, body, layout='binary_little_endian'):
    return write(path, layout, header, body)


def packed(faces, count='B', order='<'):
    return b''.join(struct.pack(f'{order}{count}{len(face)}i', len(face), *face) for face in faces)


def is_cube_surface(points):
    on_side = np.isclose(points, 0, atol=1e-5) | np.isclose(points, 1, atol=1e-5)
    sides = [np.isclose(points[:, axis], side, atol=1e-5).mean() for axis in range(3) for side in (0, 1)]
    return on_side.any(1).all() and np.abs(np.array(sides) - 1 / 6).max() < 0.05


@pytest.mark.parametrize('faces', [
    QUADS, [*QUADS[1:], QUADS[0][:3], [0, 3, 2]], [[0, 1, 3, 2, 2], *QUADS[1:], [5], []],
])
@pytest.mark.parametrize('layout', ['binary_little_endian', 'binary_big_endian', 'ascii'])
def test_polygons_of_any_lengths_are_surfaces(tmp_path, faces, layout):
    header = f'element vertex 8\n{XYZ}element face {len(faces)}\n{FACES}'
    if layout == 'ascii':
        rows = [*CORNERS.tolist(), *([len(face), *face] for face in faces)]
        body = '\n'.join(' '.join(map(str, row)) for row in rows).encode()
    else:
        order = '<' if 'little' in layout else '>'
        body = CORNERS.astype(f'{order}f4').tobytes() + packed(faces, order=order)
    points = read_cloud(write(tmp_path / 'a.ply', layout, header, body), 3000)
    assert len(points) == 3000 and is_cube_surface(points)


def test_other_properties_and_elements_are_stepped_over(tmp_path):
    faces = [*QUADS[1:], QUADS[0][:3], [0, 3, 2]]
    header = ('comment Ümläute\nelement camera 2\nproperty double f\nproperty list ushort float pose\n'
              f'element vertex 8\nproperty uchar red\n{XYZ}property list uchar int view\nelement edge 1\n'
              'property int vertex1\nproperty int vertex2\nelement face 7\nproperty uchar quality\n'
              'property list uchar uint vertex_index\nproperty list uchar float texcoord\n')
    body = struct.pack('<dH2fdH', 1.5, 2, 0, 1, 2.5, 0)
    body += b''.join(struct.pack(f'<B3fB{i % 3}i', 255, *corner, i % 3, *range(i % 3))
                     for i, corner in enumerate(CORNERS)) + struct.pack('<2i', 0, 1)
    body += b''.join(struct.pack(f'<BB{len(face)}IB{2 * len(face)}f', i, len(face), *face, 2 * len(face),
                                 *[0.5] * 2 * len(face)) for i, face in enumerate(faces))
    path = binary(tmp_path / 'a.ply', header, body + b'trailing')
    assert is_cube_surface(read_cloud(path, 3000))
    elements = read_ply(path)
    assert elements['camera']['f'].tolist() == [1.5, 2.5]
    assert elements['face']['quality'].tolist() == list(range(7))
    lengths, values = elements['vertex']['view']
    assert np.split(values, np.cumsum(lengths))[2].tolist() == [0, 1]


def test_triangles_are_those_of_plyfile(tmp_path):
    faces = np.random.default_rng(1).integers(0, 50, (90, 3))
    path = binary(tmp_path / 'a.ply', f'element vertex 50\n{XYZ}element face 90\n{FACES}',
                  CLOUD.tobytes() + packed(faces.tolist()))
    elements, other = read_ply(path), PlyData.read(path)
    assert np.array_equal(triangles_of(elements), np.stack(other['face']['vertex_indices'])) and len(faces) == 90
    assert np.array_equal(vertices_of(elements), CLOUD) and vertices_of(elements).dtype == np.float32


@pytest.mark.parametrize('strip, triangles', [
    ([0, 1, 2, 3], [[0, 1, 2], [1, 2, 3]]), ([0, 1, 2, -1, 4, 5, 6, 7], [[0, 1, 2], [4, 5, 6], [5, 6, 7]]),
    ([0, 1, -1, 2, 3], []),
])
def test_strips_are_triangles(tmp_path, strip, triangles):
    path = binary(tmp_path / 'a.ply', f'element vertex 8\n{XYZ}element tristrips 1\n'
                  'property list int int vertex_indices\n', CORNERS.tobytes() + packed([strip], 'i'))
    assert triangles_of(read_ply(path)).tolist() == triangles
    if triangles:
        points = read_cloud(path, 500)  # of the first strip at x = 0
        assert len(points) == 500 and (np.isclose(points[:, 0], 0) | np.isclose(points[:, 0], 1)).all()
    else:
        with pytest.raises(ValueError, match='none of 0 faces has three finite corners'):
            read_cloud(path, 500)


def test_strips_do_not_join_each_other():
    strips = PlyLists(np.array([3, 3]), np.array([0, 1, 2, 3, 4, 5]))
    elements = dict(vertex=dict.fromkeys('xyz', np.zeros(6)), tristrips=dict(vertex_indices=strips))
    assert triangles_of(elements).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize('newline', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('layout, kind', [
    ('binary_little_endian', '<f8'), ('binary_big_endian', '>f8'), ('binary_big_endian', '>f4'), ('ascii', None),
])
def test_vertices_in_any_order_type_and_line_ends(tmp_path, newline, layout, kind):
    name = 'float' if kind == '>f4' else 'double'
    header = f'element vertex 50\nproperty {name} z\nproperty uchar red\nproperty {name} x\nproperty {name} y\n'
    if kind:
        rows = np.zeros(50, np.dtype([('z', kind), ('red', 'u1'), ('xy', kind, 2)]))
        rows['z'], rows['red'], rows['xy'] = CLOUD[:, 2], 10, CLOUD[:, :2]
        body = rows.tobytes()
    else:
        body = newline.join(f'{z} 10 {x} {y}' for x, y, z in CLOUD.tolist()).encode()
    assert np.array_equal(read_cloud(write(tmp_path / 'a.ply', layout, header, body, newline), 10), CLOUD)


@pytest.mark.parametrize('header, body, message', [
    (f'element vertex 50\n{XYZ}', CLOUD.tobytes()[:-1], '50 rows of element vertex expected, 49 whole ones found'),
    (f'element vertex 8\n{XYZ}element face 2\n{FACES}', CORNERS.tobytes() + packed([[0, 1, 2], [0, 1, 2]])[:-1],
     '2 rows of element face expected, 1 whole ones found'),
    (f'element vertex 8\n{XYZ}element face 1\nproperty list char int vertex_indices\n',
     CORNERS.tobytes() + packed([[0, 1, 2]]).replace(b'\x03', b'\xff'), '1 rows of element face .* 0 whole'),
    (f'element vertex 8\n{XYZ}element face 1\nproperty int material\n', CORNERS.tobytes() + bytes(4),
     '1 faces without a list of corners; they have material'),
    ('element face 0\n' + FACES, b'', 'vertices without x, y, z; they have nothing'),
    (f'element vertex 0\n{XYZ}', b'', r'shape \(0, 3\), not points'),
    ('property float x\n', b'', "header with the line 'property float x'"),
    ('element vertex 1\nproperty float128 x\n', b'', "header with the line 'property float128 x'"),
])
def test_damaged_files_are_refused_in_words(tmp_path, header, body, message):
    with pytest.raises(ValueError, match=message):
        read_cloud(binary(tmp_path / 'a.ply', header, body), 10)


def test_text_after_the_last_element_is_ignored(tmp_path):
    rows = '\n'.join(' '.join(map(str, row)) for row in CLOUD.tolist())
    path = write(tmp_path / 'a.ply', 'ascii', f'element vertex 50\n{XYZ}', f'{rows}\n\nmore of something\n'.encode())
    assert np.array_equal(read_cloud(path, 10), CLOUD)


def test_faces_with_nan_corners_are_left_out(tmp_path):
    corners = np.vstack([CORNERS, [[np.nan] * 3] * 2, [[1e8] * 3]]).astype(np.float32)  # the last in no face
    faces = [*QUADS, [0, 1, 8], [8, 9, 2]]
    path = binary(tmp_path / 'a.ply', f'element vertex 11\n{XYZ}element face {len(faces)}\n{FACES}',
                  corners.tobytes() + packed(faces))
    remarks = Remarks('data')
    assert is_cube_surface(read_cloud(path, 3000, remarks=remarks)) and remarks.dropped == {str(path): 2}
