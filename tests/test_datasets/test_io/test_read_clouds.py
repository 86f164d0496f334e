import numpy as np
import pytest
import trimesh
from far import UTM, ball, centred

from m2ae_mm.datasets.io.clouds import read_cloud
from m2ae_mm.datasets.io.local import Remarks

XYZ = np.random.default_rng(0).normal(size=(40, 3))


def test_of_several_arrays_points_are_those_called_points(tmp_path):
    np.savez(tmp_path / 'a.npz', colours=XYZ * 0, points=XYZ, normals=-XYZ)
    assert np.array_equal(read_cloud(tmp_path / 'a.npz', 9), XYZ.astype(np.float32))
    np.savez(tmp_path / 'b.npz', anything=-XYZ)
    assert np.array_equal(read_cloud(tmp_path / 'b.npz', 9), -XYZ.astype(np.float32))
    np.savez(tmp_path / 'c.npz', one=XYZ, other=XYZ)
    with pytest.raises(ValueError, match='none is called points: one, other'):
        read_cloud(tmp_path / 'c.npz', 9)


def test_columns_after_the_third_are_left_out(tmp_path):
    np.save(tmp_path / 'a.npy', np.hstack([XYZ, XYZ * np.nan]))
    points = read_cloud(tmp_path / 'a.npy', 9)
    assert points.dtype == np.float32 and np.array_equal(points, XYZ.astype(np.float32))


def test_points_of_a_mesh_follow_the_seed(tmp_path):
    trimesh.creation.box().export(tmp_path / 'a.off')
    first, again, other = (read_cloud(tmp_path / 'a.off', 70, seed) for seed in (0, 0, 1))
    assert len(first) == 70 and np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(first, read_cloud(tmp_path / 'a.off', 70))


def write_mesh(path, vertices, faces):
    """A mesh in text with all digits, or as binary STL, which has float32 only."""
    lines = [' '.join(map(repr, vertex)) for vertex in vertices.tolist()]
    corners = [[lines[i] for i in face] for face in faces.tolist()]
    if path.suffix == '.obj':
        text = '\n'.join([f'v {line}' for line in lines] + [f'f {a + 1} {b + 1} {c + 1}' for a, b, c in faces])
    elif path.suffix == '.stl':
        facets = '\n'.join('facet normal 0 0 0\nouter loop\n' + '\n'.join(f'vertex {line}' for line in corner)
                           + '\nendloop\nendfacet' for corner in corners)
        text = f'solid a\n{facets}\nendsolid a\n'
    else:
        head = f'OFF\n{len(lines)} {len(faces)} 0'
        if path.suffix == '.ply':
            axes = ''.join(f'property double {axis}\n' for axis in 'xyz')
            head = (f'ply\nformat ascii 1.0\nelement vertex {len(lines)}\n{axes}element face {len(faces)}\n'
                    'property list uchar int vertex_index\nend_header')
        text = '\n'.join([head, *lines, *(f'3 {a} {b} {c}' for a, b, c in faces)])
    path.write_text(text + '\n')
    return path


@pytest.mark.parametrize('suffix', ['.off', '.obj', '.stl', '.ply'])
def test_meshes_at_survey_coordinates_keep_their_form(tmp_path, suffix):
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    near, far = (read_cloud(write_mesh(tmp_path / f'{name}{suffix}', sphere.vertices + offset, sphere.faces), 900)
                 for name, offset in (('near', 0), ('far', UTM)))
    assert near.shape == far.shape == (900, 3)
    np.testing.assert_allclose(centred(far), centred(near), atol=1e-4)
    assert np.linalg.norm(near, axis=1).max() < 0.51  # the near one is where it was


def test_points_of_obj_at_survey_coordinates_keep_their_form(tmp_path):
    points = ball() + UTM
    (tmp_path / 'a.obj').write_text('\n'.join('v ' + ' '.join(map(repr, row)) for row in points.tolist()))
    np.testing.assert_allclose(centred(read_cloud(tmp_path / 'a.obj', 9)), centred(ball()), atol=1e-4)


@pytest.mark.parametrize('head, extra', [
    ('OFF\n{}', ''), ('OFF {}', ''), ('OFF\n{}', ' 10 20 30 255'), ('COFF\n{}', ' 10 20 30 255'),
    ('NOFF\n{}', ' 0 0 1'), ('OFF\n# a comment\n{}', ''),
])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_off_with_counts_colours_and_normals(tmp_path, head, extra, newline):
    box = trimesh.creation.box()
    rows = [' '.join(map(str, vertex)) + extra for vertex in box.vertices.tolist()]
    rows += [f'3 {a} {b} {c}' for a, b, c in box.faces]
    (tmp_path / 'a.off').write_bytes(newline.join([head.format('8 12 0'), *rows, '']).encode())
    points = read_cloud(tmp_path / 'a.off', 300)
    assert points.shape == (300, 3) and np.allclose(np.abs(points).max(1), 0.5)


def test_binary_stl_that_begins_as_a_text_one(tmp_path):
    content = bytearray(trimesh.creation.box().export(file_type='stl'))
    content[:80] = b'solid made by a program'.ljust(80)
    (tmp_path / 'a.stl').write_bytes(bytes(content))
    assert np.allclose(np.abs(read_cloud(tmp_path / 'a.stl', 300)).max(1), 0.5)


def test_paths_with_blanks_and_umlauts(tmp_path):
    folder = tmp_path / 'Büro, zweiter Stock'
    folder.mkdir()
    np.savetxt(folder / 'Stühle 1.xyz', XYZ)
    trimesh.creation.box().export(folder / 'Würfel 1.ply')
    assert np.allclose(read_cloud(folder / 'Stühle 1.xyz', 9), XYZ)
    assert len(read_cloud(folder / 'Würfel 1.ply', 9)) == 9


@pytest.mark.parametrize('suffix', ['.off', '.obj', '.stl'])
def test_faces_with_corners_that_are_no_points_are_left_out(tmp_path, suffix):
    box = trimesh.creation.box()
    vertices = np.vstack([box.vertices, [[np.nan, 0, 0]]])
    path = write_mesh(tmp_path / f'a{suffix}', vertices, np.vstack([box.faces, [[0, 1, 8]]]))
    remarks = Remarks('data')
    points = read_cloud(path, 300, name='a', remarks=remarks)
    assert np.allclose(np.abs(points).max(1), 0.5) and remarks.dropped == dict(a=1)
