"""Scans of every format, where they lie and with their colours."""
import struct
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

    def no_backend(path):
        raise errors.LaspyException('No LazBackend could be found')
    monkeypatch.setitem(sys.modules, 'laspy', types.SimpleNamespace(errors=errors, open=no_backend))
    with pytest.raises(ValueError, match='lazrs'):
        read_scan(tmp_path / 'a.las')


def write_laser(path, point_format, offset, colours):
    laspy = pytest.importorskip('laspy')
    if path.suffix == '.laz':
        pytest.importorskip('lazrs')
    header = laspy.LasHeader(point_format=point_format, version='1.4' if point_format > 5 else '1.2')
    header.scales, header.offsets = [0.001] * 3, offset
    content = laspy.LasData(header)
    content.x, content.y, content.z = (XYZ + offset).T
    if colours is not None:
        content.red, content.green, content.blue = colours.T
    content.write(path)
    return path, header


@pytest.mark.parametrize('name', ['a.las', 'a.laz'])
@pytest.mark.parametrize('point_format, offset, factor', [
    (2, (5e5, 5.8e6, 90), 257), (7, (0, 0, 0), 257), (3, (0, 0, 0), 1), (6, (5e5, 5.8e6, 90), None),
    (0, (0, 0, 0), None), (2, (0, 0, 0), 0)])
def test_laser_files(tmp_path, name, point_format, offset, factor):
    colours = None if factor is None else RGB.astype(np.uint16) * factor
    scan = read_scan(write_laser(tmp_path / name, point_format, offset, colours)[0])
    np.testing.assert_allclose(scan.xyz, XYZ + offset, atol=0.00051)  # double precision far from the origin
    if factor:
        np.testing.assert_array_equal(scan.colours, RGB)
    else:
        assert scan.colours is None


@pytest.mark.parametrize('name, place, kind', [('a.las', 107, '<I'), ('a.laz', 247, '<Q')])
def test_laser_files_that_hold_less_than_they_say_are_refused(tmp_path, name, place, kind):
    path, header = write_laser(tmp_path / name, 2 if name == 'a.las' else 7, (0, 0, 0), RGB)
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + struct.pack(kind, 4_000_000_000) + whole[place + struct.calcsize(kind):])
    with pytest.raises(ValueError, match='header says 4,000,000,000 points of .* cut short or damaged'):
        read_scan(path)
    for end in (40, 300, len(whole) // 2, len(whole) - 40 * (name == 'a.las') - 900 * (name == 'a.laz')):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError):
            read_scan(path)


def test_folders_are_searched(tmp_path):
    for name in ('b/x.npy', 'a.ply', '.git/y.npy', 'notes.md', 'c.bin'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'1')
    assert [path.relative_to(tmp_path).as_posix() for path in scan_files(tmp_path)] == ['a.ply', 'b/x.npy', 'c.bin']
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='has no file ending in'):
        scan_files(tmp_path / 'none')
