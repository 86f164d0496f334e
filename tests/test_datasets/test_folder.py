import numpy as np
import pytest
import trimesh

from m2ae_mm.datasets.folder import folder_classes
from mmdet3d.registry import DATASETS

CLOUD = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def build(root, **options):
    usual = dict(type='M2AEFolder', mesh_points=400, serialize_data=False)
    return DATASETS.build(dict(usual, data_root=str(root), **options))


def names(data):
    return [data.get_data_info(i)['name'] for i in range(len(data))]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'own'
    for name in ('box', 'ball'):
        (root / name).mkdir(parents=True)
    np.save(root / 'ball' / 'a.npy', CLOUD)
    np.savez(root / 'ball' / 'b.npz', points=CLOUD, colors=CLOUD)
    np.savetxt(root / 'ball' / 'c.txt', np.hstack([CLOUD, CLOUD]), delimiter=',')
    np.savetxt(root / 'ball' / 'd.xyz', CLOUD)
    mesh = trimesh.creation.box(extents=(1, 2, 4))
    for suffix in ('off', 'obj', 'stl', 'ply'):
        mesh.export(root / 'box' / f'e.{suffix}')
    trimesh.PointCloud(CLOUD).export(root / 'ball' / 'f.ply')
    return root


def test_every_format_gives_points_and_the_folder_is_the_class(folder):
    data = build(folder)
    assert names(data) == ['ball/a.npy', 'ball/b.npz', 'ball/c.txt', 'ball/d.xyz', 'ball/f.ply', 'box/e.obj',
                           'box/e.off', 'box/e.ply', 'box/e.stl']
    assert data.metainfo['classes'] == ('ball', 'box')
    assert [data[i]['gt_label'] for i in range(9)] == [0] * 5 + [1] * 4
    for i in range(5):
        np.testing.assert_allclose(data[i]['points'], CLOUD, atol=1e-6)
    assert not data.skipped


def test_only_visible_folders_with_shapes_are_classes(folder):
    for name in ('.git/objects', 'docs', 'box/.hidden'):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / 'x.npy', CLOUD)
    (folder / 'docs' / 'x.npy').rename(folder / 'docs' / 'readme.md')
    np.save(folder / 'box' / '._e.npy', CLOUD)
    data = build(folder)
    assert data.metainfo['classes'] == ('ball', 'box') and len(data) == 9
    assert [name for name, _ in data.skipped] == ['docs/readme.md']


def test_named_classes_give_the_labels(folder):
    data = build(folder, classes=['box', 'cone', 'ball'])
    assert data.metainfo['classes'] == ('box', 'cone', 'ball')
    assert [data.get_data_info(i)['gt_label'] for i in range(9)] == [2] * 5 + [0] * 4
    with pytest.raises(ValueError, match=r"has the folders ball, which are not among classes=\['box', 'cone'\]"):
        build(folder, classes=['box', 'cone'])


def test_meshes_are_sampled_by_area(folder):
    points = build(folder)[6]['points']
    assert points.shape == (400, 3)
    on_face = np.isclose(np.abs(points), [0.5, 1, 2], atol=1e-5)
    assert on_face.any(1).all()
    # Of 28 units of area the two sides across x have 2 x 8.
    assert on_face[:, 0].mean() == pytest.approx(16 / 28, abs=0.07)


def test_skipped_files_are_listed_with_the_reason(folder):
    (folder / 'ball' / 'readme.md').write_text('hello')
    (folder / 'ball' / 'bad.npy').write_bytes(b'123')
    np.save(folder / 'ball' / 'few.npy', CLOUD[:5])
    np.save(folder / 'ball' / 'nan.npy', CLOUD * np.nan)
    np.save(folder / 'ball' / 'flat.npy', CLOUD[:, :2])
    data = build(folder)
    assert len(data) == 9
    reasons = dict(data.skipped)
    assert "unknown suffix '.md'" in reasons['ball/readme.md']
    assert 'fewer than min_points=32' in reasons['ball/few.npy']
    assert 'all 50 points hold NaN' in reasons['ball/nan.npy']
    assert '(50, 2)' in reasons['ball/flat.npy']
    assert 'ball/bad.npy' in reasons


def test_cache_is_used_and_renewed(folder, tmp_path):
    (folder / 'ball' / 'bad.npy').write_bytes(b'123')
    cache = str(tmp_path / 'cache')
    first, second = build(folder, cache_dir=cache), build(folder, cache_dir=cache)
    assert names(first) == names(second) and second.skipped == first.skipped and len(second.skipped) == 1
    assert np.array_equal(first[6]['points'], second[6]['points'])
    np.save(folder / 'ball' / 'bad.npy', CLOUD)
    assert len(build(folder, cache_dir=cache)) == 10


def test_split_folders_and_split_by_share(folder, tmp_path):
    train, test = build(folder, split='train', test_share=0.5), build(folder, split='test', test_share=0.5)
    assert sorted(names(train) + names(test)) == names(build(folder))
    assert 0 < len(test) < 9
    split = tmp_path / 'split'
    (split / 'test').mkdir(parents=True)
    folder.rename(split / 'train')
    np.save(split / 'test' / 'lone.npy', CLOUD)
    assert len(build(split, split='train')) == 9
    lone = build(split, split='test')
    assert names(lone) == ['test/lone.npy'] and lone[0]['gt_label'] == -1


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, CLOUD)
    return root


def test_val_is_a_split_of_its_own_beside_test(tmp_path):
    root = write(tmp_path, 'train/bed/a.npy', 'train/vase/b.npy', 'validation/bed/c.npy', 'Test/bed/d.npy', 'e/f.npy')
    data = build(root)
    assert data.metainfo['classes'] == folder_classes(root) == ('bed', 'vase')
    assert [data.get_data_info(i)['gt_label'] for i in range(5)] == [0, -1, 0, 1, 0]  # in order of the names
    assert [names(build(root, split=split)) for split in ('train', 'val', 'test', ['val', 'test'])] == [
        ['train/bed/a.npy', 'train/vase/b.npy'], ['validation/bed/c.npy'], ['Test/bed/d.npy'],
        ['Test/bed/d.npy', 'validation/bed/c.npy']]


@pytest.mark.parametrize('folder', ['val', 'test'])
def test_val_alone_is_the_test_split_and_the_other_way_round(tmp_path, folder):
    root = write(tmp_path, 'train/bed/a.npy', 'train/vase/b.npy', f'{folder}/vase/c.npy')
    for split in ('val', 'test'):
        info = build(root, split=split).get_data_info(0)
        assert (info['name'], info['split'], info['gt_label']) == (f'{folder}/vase/c.npy', 'test', 1)


@pytest.mark.parametrize('files, folder, split', [
    (['train/bed/a.npy', 'train/vase/b.npy'], 'train', 'all'),
    (['test/a.npy', 'b.npy'], 'test', 'test'),
    (['train/bed/a.npy', 'held_out/bed/b.npy'], 'train', 'all'),
    (['train/bed/a.npy', 'bed/b.npy'], 'train', 'all'),
])
def test_a_split_alone_is_refused(tmp_path, files, folder, split):
    message = f'has the folder {folder}/, but none for another split.*data_root=.*/{folder} and split=all'
    with pytest.raises(ValueError, match=message):
        build(write(tmp_path, *files), split=split)


@pytest.mark.parametrize('files', [['bus/a.npy', 'train/b.npy'], ['bus/12/models/a.npy', 'train/34/models/b.npy']])
def test_a_class_may_be_called_train(tmp_path, files):
    assert build(write(tmp_path, *files)).metainfo['classes'] == ('bus', 'train')


def test_folders_without_shapes_are_no_splits(tmp_path):
    for name in ('train', 'val'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'list.json').write_text('[]')
    data = build(write(tmp_path, 'bus/a.npy', 'car/b.npy'))
    assert [info['gt_label'] for info in data] == [0, 1] and data.metainfo['classes'] == ('bus', 'car')


def test_an_empty_split_is_named_with_what_decides_about_it(tmp_path):
    root = write(tmp_path / 'a', *(f'{i}.npy' for i in range(4)))
    with pytest.raises(ValueError, match='none for split=test. .* test_share=0.0, else .* folders train/ and test/'):
        build(root, split='test', test_share=0.)
    (tmp_path / 'b' / 'test').mkdir(parents=True)
    with pytest.raises(ValueError, match='none for split=test. Its splits are the folders test, train: fill them'):
        build(write(tmp_path / 'b', 'train/a.npy'), split='test')


def test_empty_and_absent_folders(tmp_path):
    with pytest.raises(ValueError, match='holds no shapes for split=all. Expected files ending in'):
        build(tmp_path)
    with pytest.raises(FileNotFoundError, match='there is no folder'):
        build(tmp_path / 'nothing')


def test_arrays_of_other_shapes(tmp_path):
    np.save(tmp_path / 'batch.npy', CLOUD[None])
    np.save(tmp_path / 'columns.npy', CLOUD.T)
    data = build(tmp_path)
    assert names(data) == ['batch.npy'] and data.skipped[0][0] == 'columns.npy'
    assert data.skipped[0][1].endswith('each point must be a row, (N, 3)')


def test_clouds_of_just_enough_points_are_kept(tmp_path):
    for count in (31, 32):
        np.save(tmp_path / f'{count}.npy', CLOUD[:count])
    data = build(tmp_path)
    assert names(data) == ['32.npy'] and data.skipped == [('31.npy', '31 points, fewer than min_points=32')]
    assert names(build(tmp_path, min_points=31)) == ['31.npy', '32.npy']


def test_cache_is_made_for_each_option_of_reading(folder, tmp_path):
    cache = dict(cache_dir=str(tmp_path / 'cache'))
    build(folder, **cache)
    meshes = build(folder, mesh_points=300, **cache)
    assert {len(meshes[i]['points']) for i in range(5, 9)} == {300}
    assert names(build(folder, min_points=51, **cache)) == ['box/e.obj', 'box/e.off', 'box/e.ply', 'box/e.stl']


def test_suffixes_are_known_in_capitals_too(tmp_path):
    (tmp_path / 'box').mkdir()
    trimesh.creation.box().export(tmp_path / 'a.ply')
    (tmp_path / 'a.ply').rename(tmp_path / 'box' / 'a.PLY')
    np.save(tmp_path / 'b.npy', CLOUD)
    (tmp_path / 'b.npy').rename(tmp_path / 'b.Npy')
    data = build(tmp_path)
    assert names(data) == ['b.Npy', 'box/a.PLY'] and data.metainfo['classes'] == ('box', )
    assert [(len(data[i]['points']), data[i]['gt_label']) for i in (0, 1)] == [(50, -1), (400, 0)]


def test_a_fifth_of_the_files_is_for_testing(tmp_path):
    write(tmp_path, *(f'{i}.npy' for i in range(200)))
    assert len(build(tmp_path, split='test')) / 200 == pytest.approx(0.2, abs=0.04)
