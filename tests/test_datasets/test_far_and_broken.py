"""Every data set of shapes: survey coordinates keep their form, and points that are none are left out."""
import logging
import pickle

import numpy as np
import pytest
from far import UTM, ball, centred

from mmdet3d.registry import DATASETS

COUNT = 8192  # as ShapeNet55 wants it
SPOILT = {3: np.nan, 70: np.inf, 4000: -np.inf}
BALL = ball(COUNT)


def spoilt():
    points = BALL + UTM
    for row, value in SPOILT.items():
        points[row, row % 3] = value
    return points


def expected():
    return centred(np.delete(BALL, list(SPOILT), 0))


def nothing():
    return np.full((COUNT, 3), np.nan)


def shapenet55(root, clouds):
    (root / 'ShapeNet-55').mkdir()
    (root / 'shapenet_pc').mkdir()
    for i, cloud in enumerate(clouds):
        np.save(root / 'shapenet_pc' / f'02691156-{i}.npy', cloud)
    (root / 'ShapeNet-55' / 'train.txt').write_text('\n'.join(f'02691156-{i}.npy' for i in range(len(clouds))))
    return dict(type='M2AEShapeNet55')


def modelnet40_text(root, clouds):
    (root / 'bed').mkdir()
    (root / 'modelnet40_shape_names.txt').write_text('bed')
    (root / 'modelnet40_train.txt').write_text('\n'.join(f'bed_{i}' for i in range(len(clouds))))
    for i, cloud in enumerate(clouds):
        np.savetxt(root / 'bed' / f'bed_{i}.txt', np.hstack([cloud, cloud]), delimiter=',')
    return dict(type='M2AEModelNet40')


def modelnet40_pickle(root, clouds):
    (root / 'modelnet40_shape_names.txt').write_text('bed')
    content = [[np.hstack([cloud, cloud]) for cloud in clouds], [np.array([0])] * len(clouds)]
    (root / 'modelnet40_train_8192pts_fps.dat').write_bytes(pickle.dumps(content))
    return dict(type='M2AEModelNet40')


def hdf5(root, clouds):
    import h5py
    with h5py.File(root / 'ply_data_train0.h5', 'w') as file:
        file['data'], file['label'] = np.stack(clouds), np.zeros((len(clouds), 1), int)
    return dict(type='M2AEModelNet40H5')


def scanobjectnn(root, clouds):
    hdf5(root, clouds)
    (root / 'main_split').mkdir()
    (root / 'ply_data_train0.h5').rename(root / 'main_split' / 'training_objectdataset.h5')
    return dict(type='M2AEScanObjectNN')


def pack(root, clouds):
    np.savez(root / 'a.npz', points=np.stack(clouds), label=np.zeros(len(clouds), int))
    return dict(type='M2AEShapesNpz', files=['a.npz'])


def parts_pack(root, clouds):
    np.savez(root / 'a.npz', points=np.stack(clouds), category=np.zeros(len(clouds), int),
             part=np.tile(np.arange(COUNT) % 2, (len(clouds), 1)))
    (root / 'categories.json').write_text('{"Cup": [0, 1]}')
    return dict(type='M2AEPartsNpz', file='a.npz')


def shapenetpart(root, clouds):
    (root / '02773838').mkdir()
    (root / 'train_test_split').mkdir()
    (root / 'synsetoffset2category.txt').write_text('Bag\t02773838\n')
    for i, cloud in enumerate(clouds):
        rows = np.hstack([cloud, cloud * np.nan, 4 + np.arange(COUNT)[:, None] % 2])  # no normals
        np.savetxt(root / '02773838' / f'{i}.txt', rows)
    names = ','.join(f'"shape_data/02773838/{i}"' for i in range(len(clouds)))
    (root / 'train_test_split' / 'shuffled_train_file_list.json').write_text(f'[{names}]')
    return dict(type='M2AEShapeNetPart')


def fewshot(root, clouds):
    (root / '5way_10shot').mkdir()
    episode = dict(train=[(cloud, 0, 0) for cloud in clouds], test=[])
    (root / '5way_10shot' / '0.pkl').write_bytes(pickle.dumps(episode))
    return dict(type='M2AEFewShot')


def folder(root, clouds):
    for i, cloud in enumerate(clouds):
        np.save(root / f'{i}.npy', cloud)
    return dict(type='M2AEFolder', split='all')


CACHED = [shapenet55, modelnet40_text, shapenetpart, folder]
LOADED = [modelnet40_pickle, hdf5, scanobjectnn, pack, parts_pack, fewshot]
CASES = [(write, None) for write in CACHED + LOADED] + [(write, 'cache') for write in CACHED]


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr('m2ae_mm.datasets.io.local.print_log', lambda text, logger, level: lines.append((text, level)))
    return lines


def build(tmp_path, write, clouds, cache=None, **options):
    root = tmp_path / 'data'
    root.mkdir(parents=True, exist_ok=True)
    cache = dict(cache_dir=str(tmp_path / cache)) if cache else {}
    return DATASETS.build(dict(write(root, clouds), data_root=str(root), serialize_data=False,
                               pipeline=[dict(type='M2AENormalizeUnitSphere')], **cache, **options))


@pytest.mark.parametrize('write, cache', CASES)
def test_a_shape_far_away_keeps_its_form_and_loses_what_are_no_points(tmp_path, logged, write, cache):
    data = build(tmp_path, write, [spoilt(), BALL + UTM, spoilt()], cache)
    first, second = data[0], data[1]
    np.testing.assert_allclose(first['points'], expected(), atol=1e-4)
    np.testing.assert_allclose(second['points'], centred(BALL), atol=1e-4)
    assert first['points'].dtype == np.float32
    if 'pts_semantic_mask' in first:
        assert np.array_equal(first['pts_semantic_mask'] % 2, np.delete(np.arange(COUNT), list(SPOILT)) % 2)
    data[2]
    (text, level), = logged  # said once
    assert level == logging.WARNING and 'hold NaN or infinite values and are left out' in text
    eager = cache or write in LOADED or write is folder
    assert f'{6 if eager else 3} points of {2 if eager else 1} clouds' in text


@pytest.mark.parametrize('write, cache', CASES)
def test_a_shape_without_points_is_refused_by_name(tmp_path, logged, write, cache):
    clouds = [BALL, nothing()]
    if write is folder:
        skipped = build(tmp_path, write, clouds, cache).skipped
        assert skipped == [('1.npy', 'all 8192 points hold NaN or infinite values')]
        return
    with pytest.raises(ValueError, match=r'(?s)1\b.*all 8192 points hold NaN or infinite values'):
        build(tmp_path, write, clouds, cache)[1]


def test_what_was_left_out_is_said_from_the_cache_of_a_folder_too(tmp_path, logged):
    for _ in range(2):
        build(tmp_path, folder, [spoilt()], 'cache')
    assert len(logged) == 2 and logged[0] == logged[1]


def test_points_are_chosen_after_the_shape_is_near(tmp_path, logged):
    near = build(tmp_path, modelnet40_text, [BALL], num_points=60)[0]['points']
    far = build(tmp_path / 'b', modelnet40_text, [BALL + UTM], num_points=60)[0]['points']
    np.testing.assert_allclose(far, near, atol=1e-4)


def test_drawn_episodes_have_near_shapes(tmp_path, logged):
    root = tmp_path / 'data'
    root.mkdir()
    np.savez(root / 'a.npz', points=np.stack([BALL + UTM] * 4), label=[0, 0, 1, 1], split=[0, 1, 0, 1])
    data = DATASETS.build(dict(
        type='M2AEFewShot', data_root=str(tmp_path), way=2, shot=1, serialize_data=False,
        source=dict(type='M2AEShapesNpz', data_root=str(root), files=['a.npz'])))
    np.testing.assert_allclose(centred(data[1]['points']), centred(BALL), atol=1e-4)


def test_hdf5_without_shapes_is_named(tmp_path):
    import h5py
    with h5py.File(tmp_path / 'ply_data_train0.h5', 'w') as file:
        file['data'], file['label'] = np.zeros((0, 64, 3)), np.zeros((0, 1), int)
    with pytest.raises(ValueError, match='1 unreadable.\n.*ply_data_train0.h5.*expected at least 1 points, found 0'):
        DATASETS.build(dict(type='M2AEModelNet40H5', data_root=str(tmp_path)))


@pytest.mark.parametrize('count', [33, 5000])
def test_clouds_of_few_and_many_points_make_equal_batches(tmp_path, count):
    data = build(tmp_path, folder, [ball(count)])
    assert len(data[0]['points']) == count
    steps = [dict(type=name) for name in ('M2AENormalizeUnitSphere', 'M2AEPackShape')]
    root = str(tmp_path / 'data')
    sampled = DATASETS.build(dict(type='M2AEFolder', data_root=root, serialize_data=False, pipeline=[
        dict(type='M2AESamplePoints', num_points=2048, seed=0), *steps]))[0]['inputs']['points']
    assert sampled.shape == (2048, 3) and len(sampled.unique(dim=0)) == min(count, 2048)
