"""Every downstream data set reads the layout that the field has on disk."""
import numpy as np
import pytest
from shapes import (
    shape_points,
    write_fewshot,
    write_modelnet40,
    write_modelnet40_h5,
    write_scanobjectnn,
    write_shapenetpart,
)

from m2ae_mm.datasets import M2AEModelNet40
from m2ae_mm.datasets.shapenetpart import PARTS
from mmdet3d.registry import DATASETS


def build(name, root, **options):
    return DATASETS.build(dict(type=name, data_root=str(root), **options))


@pytest.mark.parametrize('pickled', [False, True])
def test_modelnet40_from_text_and_from_the_pickle_cache(tmp_path, pickled):
    data = build('M2AEModelNet40', write_modelnet40(tmp_path / 'm', pickled=pickled), split='test')
    assert data.metainfo['classes'] == ('airplane', 'night_stand')
    assert [data[i]['gt_label'] for i in range(len(data))] == [0, 1, 0, 1]
    assert np.allclose(data[3]['points'], shape_points(103, 2000), atol=1e-6)
    assert len(build('M2AEModelNet40', tmp_path / 'm', split=['train', 'test'])) == 10


def test_modelnet40_text_thinned_to_furthest_points(tmp_path):
    data = build('M2AEModelNet40', write_modelnet40(tmp_path / 'm', (1, 1), 200), num_points=20)
    points, full = data[0]['points'], shape_points(0, 200)
    assert points.shape == (20, 3)
    assert np.allclose(points[0], full[0], atol=1e-6)
    second = np.linalg.norm(full - full[0], axis=1).argmax()
    assert np.allclose(points[1], full[second], atol=1e-6)


def test_modelnet40_cache_is_made_for_each_number_of_points(tmp_path):
    root, cache = write_modelnet40(tmp_path / 'm', (1, 1), 200), str(tmp_path / 'cache')
    for num_points, expected in ((20, 20), (50, 50), (None, 200)):
        data = build('M2AEModelNet40', root, num_points=num_points, cache_dir=cache)
        assert data[0]['points'].shape == (expected, 3)


def test_modelnet40_missing_files(tmp_path):
    root = write_modelnet40(tmp_path / 'm')
    (root / 'airplane' / 'airplane_0000.txt').unlink()
    with pytest.raises(FileNotFoundError, match='of 8 files checked, 1 missing'):
        build('M2AEModelNet40', root)


def test_modelnet40_h5_joins_its_files(tmp_path):
    data = build('M2AEModelNet40H5', write_modelnet40_h5(tmp_path / 'm'))
    assert len(data) == 12
    assert np.array_equal(data[8]['points'], shape_points(100, 256))
    assert [data[i]['gt_label'] for i in (7, 8)] == [1, 0]
    (tmp_path / 'm' / 'ply_data_train0.h5').write_bytes(b'no HDF5')
    with pytest.raises(ValueError, match='1 unreadable'):
        build('M2AEModelNet40H5', tmp_path / 'm')


def test_scanobjectnn_variants_are_different_files(tmp_path):
    root = write_scanobjectnn(tmp_path / 's')
    for variant, first in (('objbg', 50), ('objonly', 1050), ('pbt50rs', 150)):
        data = build('M2AEScanObjectNN', root, variant=variant, split='test')
        assert len(data) == 4
        assert np.array_equal(data[0]['points'], shape_points(first, 256))
    with pytest.raises(ValueError, match="got 'hardest'"):
        build('M2AEScanObjectNN', root, variant='hardest')


def test_shapenetpart_labels_parts_and_categories(tmp_path):
    data = build('M2AEShapeNetPart', write_shapenetpart(tmp_path / 'p'), split=['train', 'val'])
    assert len(data) == 6
    sample = data[1]
    assert sample['gt_label'] == 1 and sample['category'] == 'Bag'
    assert np.array_equal(sample['pts_semantic_mask'] == 5, sample['points'][:, 0] > sample['points'][:, 0].mean())
    assert set(sample['pts_semantic_mask']) == {4, 5}
    assert sample['points'].shape == (300, 3) and sample['pts_semantic_mask'].dtype == np.int64


def test_shapenetpart_cache_keeps_the_labels(tmp_path):
    root = write_shapenetpart(tmp_path / 'p')
    plain, cached = build('M2AEShapeNetPart', root), build('M2AEShapeNetPart', root, cache_dir=str(tmp_path / 'c'))
    for key in ('points', 'pts_semantic_mask'):
        assert np.array_equal(plain[2][key], cached[2][key])


def test_fewshot_reads_published_episodes(tmp_path):
    data = build('M2AEFewShot', write_fewshot(tmp_path / 'f', way=5, shot=10), split='train')
    assert len(data) == 50
    assert np.array_equal(data[7]['points'], shape_points(7, 256))
    assert data[7]['gt_label'] == 2


def test_fewshot_draws_episodes_where_none_are_published(tmp_path):
    source = dict(type='M2AEModelNet40', data_root=str(write_modelnet40(tmp_path / 'm', shots=(5, 4), num_points=64)))
    options = dict(way=2, shot=3, source=source, test_shots=2)
    train = build('M2AEFewShot', tmp_path, **options)
    again = build('M2AEFewShot', tmp_path, **options)
    test = build('M2AEFewShot', tmp_path, split='test', **options)
    other = build('M2AEFewShot', tmp_path, fold=1, **options)
    assert (len(train), len(test)) == (6, 4)
    assert [train[i]['gt_label'] for i in range(6)] == [0, 0, 0, 1, 1, 1]
    names = [[data[i]['name'] for i in range(6)] for data in (train, again, other)]
    assert names[0] == names[1] != names[2] and len(set(names[0])) == 6
    # Both splits number the classes alike.
    assert names[0][0].rpartition('_')[0] == test[0]['name'].rpartition('_')[0]
    with pytest.raises(ValueError, match='5-way 10-shot needs 5 classes.*has 0 such'):
        build('M2AEFewShot', tmp_path, source=source)
    with pytest.raises(FileNotFoundError, match='1 missing'):
        build('M2AEFewShot', tmp_path)


def test_drawn_episodes_read_the_cache_of_their_source(tmp_path, monkeypatch):
    source = dict(type='M2AEModelNet40', data_root=str(write_modelnet40(tmp_path / 'm', (2, 1), 64)),
                  cache_dir=str(tmp_path / 'cache'))
    options = dict(way=2, shot=1, source=source)
    first = build('M2AEFewShot', tmp_path, **options)
    monkeypatch.setattr(M2AEModelNet40, 'read', lambda self, info: pytest.fail(f'{info["name"]} is parsed again'))
    again = build('M2AEFewShot', tmp_path, **options)
    assert len(again) == 2 and np.array_equal(first[1]['points'], again[1]['points'])


def test_drawing_is_logged_and_done_only_without_the_folder_of_episodes(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr('m2ae_mm.datasets.fewshot.print_log', lambda text, logger: logged.append(text))
    model_net = write_modelnet40(tmp_path / 'm', num_points=64)
    options = dict(way=2, shot=1, source=dict(type='M2AEModelNet40', data_root=str(model_net)))
    build('M2AEFewShot', write_fewshot(tmp_path / 'f', 2, 1), **options)
    assert not logged
    with pytest.raises(FileNotFoundError, match='missing: .*2way_1shot.1.pkl'):
        build('M2AEFewShot', tmp_path / 'f', fold=1, **options)
    build('M2AEFewShot', tmp_path / 'mistyped', split='test', fold=1, **options)
    folder = str(tmp_path / 'mistyped' / '2way_1shot')
    assert logged == [f'M2AEFewShot: no folder {folder!r}, so test of fold 1 is drawn from M2AEModelNet40 in '
                      f'{str(model_net)!r} with seed 0']


def test_a_missing_source_is_named_with_its_key_and_the_missing_episodes(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        build('M2AEFewShot', tmp_path / 'f', source=dict(type='M2AEModelNet40', data_root=str(tmp_path / 'm')))
    text = str(error.value)
    assert 'set train_dataloader.dataset.source.data_root' in text
    assert f"no folder {str(tmp_path / 'f' / '5way_10shot')!r} of episodes" in text
    assert text.endswith('If they lie elsewhere, set train_dataloader.dataset.data_root.')


def test_pickled_splits_join_each_with_its_own_clouds(tmp_path):
    data = build('M2AEModelNet40', write_modelnet40(tmp_path / 'm', pickled=True), split=['train', 'test'])
    for position, seed in enumerate([0, 1, 2, 3, 4, 5, 100, 101, 102, 103]):  # 6 training shapes, 4 test shapes
        assert np.array_equal(data[position]['points'], shape_points(seed, 2000))
    assert [data[i]['split'] for i in (5, 6)] == ['train', 'test']


def test_shapenetpart_has_fifty_parts_in_sixteen_categories():
    assert sum(PARTS.values(), ()) == tuple(range(50)) and len(PARTS) == 16
    # From the list that comes with the data: synsets are not in this order.
    assert (PARTS['Airplane'], PARTS['Motorbike'], PARTS['Table']) == (
        (0, 1, 2, 3), (30, 31, 32, 33, 34, 35), (47, 48, 49))


def test_shapenetpart_numbers_categories_among_all_sixteen(tmp_path):
    root = write_shapenetpart(tmp_path / 'p')
    (root / 'synsetoffset2category.txt').write_text('Table\t02691156\nCap\t02773838\n')
    data = build('M2AEShapeNetPart', root)
    assert [data.get_data_info(i)['gt_label'] for i in range(4)] == [15, 2, 15, 2]
