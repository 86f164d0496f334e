import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from shapes import shape_points, write_shapenet55

from mmdet3d.registry import DATASETS

PIPELINE = [
    dict(type='M2AESamplePoints', num_points=64),
    dict(type='M2AENormalizeUnitSphere'),
    dict(type='M2AEPackShape')
]


def build(root, **options):
    return DATASETS.build(dict(type='M2AEShapeNet55', data_root=str(root), **options))


def test_reads_the_published_layout(tmp_path):
    data = build(write_shapenet55(tmp_path / 'a'), pipeline=PIPELINE)
    assert len(data) == 4
    batch = pseudo_collate([data[0], data[3]])
    assert batch['inputs']['points'][1].shape == (64, 3)
    assert [sample.sample_idx for sample in batch['data_samples']] == [0, 3]
    assert [int(sample.gt_label) for sample in batch['data_samples']] == [0, 1]
    assert np.array_equal(data.read(data.get_data_info(2)), shape_points(2, 8192))


def test_several_splits_join(tmp_path):
    assert len(build(write_shapenet55(tmp_path / 'a'), split=['train', 'test'])) == 6


def test_cache_holds_the_same_points_and_survives_pickling(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    plain, cached = build(root), build(root, cache_dir=str(tmp_path / 'cache'))
    assert np.array_equal(plain[3]['points'], cached[3]['points'])
    copy = pickle.loads(pickle.dumps(cached))
    assert len(pickle.dumps(cached)) < 20_000
    assert np.array_equal(copy[1]['points'], plain[1]['points'])
    # A file is read again only if its size or its time of change differ.
    file = root / 'shapenet_pc' / '02691156-0000.npy'
    stat = file.stat()
    file.write_bytes(b'x' * stat.st_size)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert np.array_equal(build(root, cache_dir=str(tmp_path / 'cache'))[0]['points'], shape_points(0, 8192))


def test_cache_is_made_anew_when_a_file_is_replaced(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    build(root, cache_dir=str(tmp_path / 'cache'))
    np.save(root / 'shapenet_pc' / '02691156-0000.npy', shape_points(9, 9000))
    assert np.array_equal(build(root, cache_dir=str(tmp_path / 'cache'))[0]['points'], shape_points(9, 9000))


def test_missing_and_short_files_are_counted(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    (root / 'shapenet_pc' / '02691156-0000.npy').unlink()
    (root / 'shapenet_pc' / '03001627-0001.npy').write_bytes(b'123')
    with pytest.raises(FileNotFoundError, match='of 5 files checked, 1 missing, 1 short') as error:
        build(root)
    assert 'shapenet_pc/02691156-0000.npy' in str(error.value).replace('\\', '/')
    assert 'Expected ShapeNet-55/train.txt' in str(error.value)


def test_unreadable_files_are_listed_when_the_cache_is_made(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    points = shape_points(0, 8192)
    points[:, 2] = np.nan
    np.save(root / 'shapenet_pc' / '02691156-0000.npy', points)
    (root / 'shapenet_pc' / '03001627-0003.npy').write_bytes(b'x' * 100_000)
    with pytest.raises(ValueError, match='2 unreadable') as error:
        build(root, cache_dir=str(tmp_path / 'cache'))
    assert 'all 8192 points hold NaN' in str(error.value)
    assert not list((tmp_path / 'cache').iterdir())


def test_no_data_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match='1 missing'):
        build(tmp_path)
    with pytest.raises(ValueError, match="splits train, test; got 'val'"):
        build(tmp_path, split='val')


def test_pickled_objects_are_refused(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    objects = np.array([torch.Size([i]) for i in range(20_000)] + [None], object)
    np.save(root / 'shapenet_pc' / '02691156-0000.npy', objects, allow_pickle=True)
    with pytest.raises(ValueError, match='cannot be read as a .npy file'):
        build(root)[0]


def test_labels_are_of_the_sorted_synsets_in_whatever_order_they_are_listed(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    listed = root / 'ShapeNet-55' / 'train.txt'
    listed.write_text('\n'.join(reversed(listed.read_text().split())))
    data = build(root)
    assert [data.get_data_info(i)['name'][:8] for i in range(4)] == ['03001627', '02691156'] * 2
    assert [data.get_data_info(i)['gt_label'] for i in range(4)] == [1, 0, 1, 0]


def test_a_file_is_short_below_the_bytes_of_8192_points(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    file = root / 'shapenet_pc' / '03001627-0003.npy'
    file.write_bytes(b'x' * 98_304)
    assert len(build(root)) == 4
    file.write_bytes(b'x' * 98_303)
    with pytest.raises(ValueError, match='1 short.*\n.*03001627-0003.npy .98303 bytes, at least 98304 needed'):
        build(root)


def test_a_shape_of_8191_points_is_refused_when_it_is_read(tmp_path):
    root = write_shapenet55(tmp_path / 'a')
    np.save(root / 'shapenet_pc' / '02691156-0000.npy', shape_points(0, 8191))
    with pytest.raises(ValueError, match='expected at least 8192 points, found 8191'):
        build(root)[0]
