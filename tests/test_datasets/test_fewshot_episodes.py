"""What is drawn where there are no published episodes."""
import numpy as np
import pytest

from mmdet3d.registry import DATASETS


def write_source(root, train, test):
    """A pack with shapes of these labels in train and test, -1 for none; gives what draws episodes from it."""
    points = np.random.default_rng(0).normal(size=(len(train) + len(test), 5, 3))
    np.savez(root / 'a.npz', points=points, label=np.array([*train, *test]),
             split=np.repeat([0, 1], [len(train), len(test)]))
    return dict(type='M2AEShapesNpz', data_root=str(root), files=['a.npz'])


def episode(root, source, **options):
    data = DATASETS.build(dict(type='M2AEFewShot', data_root=str(root), source=source, serialize_data=False, **options))
    return [int(data.get_data_info(i)['name'].split('/')[1]) for i in range(len(data))]


def test_classes_have_just_enough_training_shapes_and_some_test_shape(tmp_path):
    # Class 0 has three training shapes and a test shape, 1 has two, 2 has no test shape; five have no class.
    source = write_source(tmp_path, [0, 0, 0, 1, 1, 2, 2, 2, -1, -1, -1], [0, 1, -1, -1])
    for fold in range(8):
        assert sorted(episode(tmp_path, source, way=1, shot=3, fold=fold)) == [0, 1, 2]
    assert sorted(episode(tmp_path, source, way=2, shot=2)[2:]) in ([3, 4], [0, 1], [0, 2], [1, 2])
    with pytest.raises(ValueError, match='2 classes with 3 training and some test shapes; M2AEShapesNpz has 1 such'):
        episode(tmp_path, source, way=2, shot=3)


def test_a_draw_is_of_its_seed_its_fold_its_ways_and_its_shots(tmp_path):
    source = write_source(tmp_path, [0] * 30 + [1] * 30, [0, 1])
    usual = dict(way=1, shot=5, fold=0, seed=0)
    drawn = [tuple(episode(tmp_path, source, **{**usual, **changed})[:5])
             for changed in ({}, {}, dict(fold=1), dict(seed=1), dict(way=2), dict(shot=6))]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 5


def test_twenty_test_shapes_of_a_class_at_most(tmp_path):
    source = write_source(tmp_path, [0, 1], [0] * 25 + [1] * 12)
    drawn = episode(tmp_path, source, split='test', way=2, shot=1)
    assert (sum(2 <= i < 27 for i in drawn), sum(i >= 27 for i in drawn)) == (20, 12)
