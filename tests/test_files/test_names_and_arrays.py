"""Names stay in their folder, arrays are as long as they say."""
import io
import zipfile

import numpy as np
import pytest

from m2ae_mm.datasets.io.h5 import read_h5
from m2ae_mm.datasets.io.point_cache import PointCache
from m2ae_mm.files import inside, load_array, load_arrays


@pytest.mark.parametrize('name', ['a', 'a/b.bin', './a', 'scene0000_00', 'ä b,c.txt', '..a', 'a..', 'a/.b'])
def test_names_of_files_pass(tmp_path, name):
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize('name', ['', '.', '..', '../a', 'a/../../b', '/a', '\\a', 'a\\..\\..\\b', 'C:\\a', 'a\0b',
                                  '//server/a', None, 3, b'a'])
def test_names_that_lead_elsewhere_do_not(tmp_path, name):
    with pytest.raises(ValueError, match='is no name of a file in'):
        inside(tmp_path, name)


def npy(array, shape=None):
    file = io.BytesIO()
    if shape is None:
        np.save(file, array)
    else:
        np.lib.format.write_array_header_1_0(file, dict(descr='<f8', fortran_order=False, shape=shape))
        file.write(array.tobytes())
    return file.getvalue()


def test_arrays_come_back(tmp_path):
    arrays = dict(points=np.arange(6.).reshape(2, 3), name=np.array(['a', 'bc']), t=np.asfortranarray(np.eye(2)))
    np.savez_compressed(tmp_path / 'a.npz', **arrays)
    found = load_arrays(tmp_path / 'a.npz')
    assert found.keys() == arrays.keys() and all((found[key] == arrays[key]).all() for key in arrays)
    assert list(load_arrays(tmp_path / 'a.npz', lambda names: names[1:2])) == ['name']
    np.save(tmp_path / 'a.npy', arrays['t'])
    assert (load_array(tmp_path / 'a.npy') == np.eye(2)).all()


@pytest.mark.parametrize('content', [
    npy(np.zeros((7, 3)), (7, 4)), npy(np.zeros((7, 3)), (2**40, 2**40)), npy(np.zeros((7, 3)), (-1, 3)),
    npy(np.zeros((7, 3)))[:-1], npy(np.array([None])), b'\x93NUMPY\x09\x00', b'', npy(np.zeros(3))[:20],
])
def test_arrays_that_say_more_than_they_hold_are_refused(tmp_path, content):
    (tmp_path / 'a.npy').write_bytes(content)
    with pytest.raises((ValueError, SyntaxError, EOFError)):
        load_array(tmp_path / 'a.npy')
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
        archive.writestr('points.npy', content)
    with pytest.raises((ValueError, SyntaxError, EOFError)):
        load_arrays(tmp_path / 'a.npz')


def test_a_small_file_cannot_ask_for_much_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive, archive.open(
            'points.npy', 'w', force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, dict(descr='|u1', fortran_order=False, shape=(200 * 2**20, )))
        for _ in range(200):
            file.write(bytes(2**20))
    size = (tmp_path / 'a.npz').stat().st_size
    with pytest.raises(ValueError, match=rf'would take 2097\d+ bytes; a file of {size} bytes is given'):
        load_arrays(tmp_path / 'a.npz')


def test_hdf5_arrays_are_numbers_in_the_file_itself(tmp_path):
    import h5py
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['data'] = np.zeros(3)
    cases = dict(
        link=lambda file: file.__setitem__('data', h5py.ExternalLink(str(tmp_path / 'other.h5'), 'data')),
        raw=lambda file: file.create_dataset('data', (10, ), 'u1', external=[('/etc/passwd', 0, 10)]),
        virtual=lambda file: file.create_virtual_dataset('data', _virtual(h5py, tmp_path / 'other.h5')),
        large=lambda file: file.create_dataset('data', (2**40, 3), 'f4', chunks=(2**10, 3)),
        group=lambda file: file.create_group('data'),
        text=lambda file: file.__setitem__('data', ['a', 'b']),
        loop=lambda file: file.__setitem__('data', h5py.SoftLink('/data')))
    for name, fill in cases.items():
        with h5py.File(tmp_path / f'{name}.h5', 'w') as file:
            fill(file)
        with pytest.raises(ValueError, match=f"{name}.h5' cannot be read as HDF5"):
            read_h5(tmp_path / f'{name}.h5', ['data'])
    assert read_h5(tmp_path / 'other.h5', ['data'])[0].tolist() == [0, 0, 0]


def _virtual(h5py, path):
    layout = h5py.VirtualLayout((3, ), 'f8')
    layout[:] = h5py.VirtualSource(path, 'data', (3, ))
    return layout


@pytest.mark.parametrize('sizes', [[], [3], [2, 0, 5]])
def test_a_cache_is_one_mapped_array(tmp_path, sizes):
    clouds = [np.full((size, 4), i, np.float32) for i, size in enumerate(sizes)]
    cache = PointCache(tmp_path / 'new' / 'a')
    cache.write(iter(clouds))
    assert cache.length() == len(sizes) and len(list((tmp_path / 'new').iterdir())) == 2
    assert np.load(tmp_path / 'new' / 'a.points.npy').shape == (sum(sizes), 4 if sizes else 3)
    assert all((cache[i] == cloud).all() for i, cloud in enumerate(clouds))
