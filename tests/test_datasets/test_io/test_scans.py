"""Scans of every format, where they lie and with their colours."""
import sys
import types

import numpy as np
import pytest
import trimesh

from m2ae_mm.datasets.io.clouds import colours_of, read_cloud
from m2ae_mm.datasets.io.scans import likely_columns, read_scan, scan_files, scan_of

RNG = np.random.default_rng(0)
XYZ = RNG.random((600, 3)) * [5, 4, 2.5]
RGB = RNG.integers(0, 256, (600, 3), dtype=np.uint8)


@pytest.mark.parametrize('columns', [3, 4, 5, 6, 7, 9])
def test_columns_of_bare_numbers_are_found(tmp_path, columns):
    rest = np.hstack([RGB, RNG.normal(size=(600, 3))])[:, :columns - 3] if columns > 5 else RNG.random((600, 2))
    rows = np.hstack([XYZ + [0, 10, -3], rest])[:, :columns].astype(np.float32)
    rows.tofile(tmp_path / 'a.bin')
    scan = read_scan(tmp_path / 'a.bin')
    np.testing.assert_array_equal(scan.xyz, rows[:, :3].astype(np.float64))
    assert (scan.colours is not None) == (columns >= 6)
    if columns >= 6:
        np.testing.assert_array_equal(scan.colours, RGB)
    given = read_scan(tmp_path / 'a.bin', columns=2 * columns)
    assert len(given.xyz) == 300
    assert likely_columns(rows.ravel()) == columns


def test_bytes_that_are_no_rows_are_refused(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'abcdef')
    with pytest.raises(ValueError, match='6 bytes are no rows of 3 to 9 numbers'):
        read_scan(tmp_path / 'a.bin')
    np.zeros(20, np.float32).tofile(tmp_path / 'b.bin')
    with pytest.raises(ValueError, match='80 bytes are no rows of 6 numbers'):
        read_scan(tmp_path / 'b.bin', columns=6)


def test_colours_of_arrays_and_ply(tmp_path):
    np.savez(tmp_path / 'a.npz', points=XYZ, color=RGB)
    np.save(tmp_path / 'b.npy', np.hstack([XYZ, RGB / 255]))
    np.savetxt(tmp_path / 'c.xyz', np.hstack([XYZ, RGB]))
    trimesh.PointCloud(XYZ, colors=np.hstack([RGB, RGB[:, :1]])).export(tmp_path / 'd.ply')
    for path in sorted(tmp_path.iterdir()):
        scan = read_scan(path)
        np.testing.assert_allclose(scan.xyz, XYZ, atol=1e-6)
        np.testing.assert_array_equal(scan.colours, RGB, path.name)
    normals = RNG.normal(size=(600, 3))
    assert scan_of(np.hstack([XYZ, normals]), 'a').colours is None
    assert colours_of(RGB * 257., 600)[:5].tolist() == RGB[:5].tolist()  # 16 bits
    assert colours_of(RGB, 7) is None


def test_glb_is_read_with_its_transforms(tmp_path):
    scene = trimesh.Scene()
    for x in (0, 10):
        place = trimesh.transformations.translation_matrix([x, 0, 0])
        scene.add_geometry(trimesh.creation.box([1, 1, 1]), transform=place)
    scene.export(tmp_path / 'a.glb')
    xyz = read_scan(tmp_path / 'a.glb').xyz
    np.testing.assert_allclose([xyz[:, 0].min(), xyz[:, 0].max()], [-0.5, 10.5], atol=1e-3)
    assert np.abs(xyz[:, 1:]).max() == pytest.approx(0.5, abs=1e-3)
    assert len(read_cloud(tmp_path / 'a.glb', 77)) == 77


def test_meshes_stay_where_they_are(tmp_path):
    far = np.array([4e5, 5.8e6, 100])
    box = trimesh.creation.box([2, 2, 2])
    lines = [f'v {a!r} {b!r} {c!r}' for a, b, c in (box.vertices + far).tolist()]
    lines += [f'f {a + 1} {b + 1} {c + 1}' for a, b, c in box.faces]
    (tmp_path / 'a.obj').write_text('\n'.join(lines))
    xyz = read_scan(tmp_path / 'a.obj').xyz
    np.testing.assert_allclose(np.abs(xyz - far).max(1), 1, atol=1e-5)


def test_points_that_are_no_numbers_are_counted(tmp_path):
    broken = XYZ.copy()
    broken[::3] = np.nan
    np.save(tmp_path / 'a.npy', broken)
    scan = read_scan(tmp_path / 'a.npy')
    assert scan.left_out == 200 and len(scan.xyz) == 400
    with pytest.raises(ValueError, match='all 600 points hold NaN'):
        scan_of(XYZ * np.nan, 'a')


def test_laser_files_need_laspy_and_say_so(tmp_path, monkeypatch):
    (tmp_path / 'a.las').write_bytes(b'LASF')
    monkeypatch.setitem(sys.modules, 'laspy', None)
    with pytest.raises(ValueError, match=r"^\.las needs laspy: pip install 'm2ae-mm\[las\]'"):
        read_scan(tmp_path / 'a.las')
    errors = types.SimpleNamespace(LaspyException=type('LaspyException', (Exception, ), {}))
    known = types.SimpleNamespace(
        xyz=XYZ, point_format=types.SimpleNamespace(dimension_names=['X', 'Y', 'Z', 'red', 'green', 'blue']))
    known.red, known.green, known.blue = (RGB[:, i].astype(np.uint16) * 257 for i in range(3))
    monkeypatch.setitem(sys.modules, 'laspy', types.SimpleNamespace(errors=errors, read=lambda path: known))
    scan = read_scan(tmp_path / 'a.las')
    np.testing.assert_array_equal(scan.xyz, XYZ)
    np.testing.assert_array_equal(scan.colours, RGB)

    def no_backend(path):
        raise errors.LaspyException('No LazBackend could be found')
    monkeypatch.setitem(sys.modules, 'laspy', types.SimpleNamespace(errors=errors, read=no_backend))
    with pytest.raises(ValueError, match='lazrs'):
        read_scan(tmp_path / 'a.las')


def test_folders_are_searched(tmp_path):
    for name in ('b/x.npy', 'a.ply', '.git/y.npy', 'notes.md', 'c.bin'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'1')
    assert [path.relative_to(tmp_path).as_posix() for path in scan_files(tmp_path)] == ['a.ply', 'b/x.npy', 'c.bin']
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='has no file ending in'):
        scan_files(tmp_path / 'none')
