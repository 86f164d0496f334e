import json

import numpy as np
import pytest

from mmdet3d.registry import DATASETS


def write_pack(path, labels, split, **more):
    points = np.random.default_rng(0).normal(size=(len(labels), 20, 3)).astype(np.float16)
    np.savez(path, points=points, label=np.array(labels), split=np.array(split, np.uint8), **more)
    return points


def build(root, name='M2AEShapesNpz', **options):
    return DATASETS.build(dict(type=name, data_root=str(root), **options))


def labels(data):
    return [data.get_data_info(i)['gt_label'] for i in range(len(data))]


def test_splits_and_labels(tmp_path):
    points = write_pack(tmp_path / 'a.npz', [0, 1, -1, 1], [0, 1, 0, 0], label_coarse=np.array([0, 0, 0, 0]))
    data = build(tmp_path, files=['a.npz'])
    assert labels(data) == [0, -1, 1]
    assert data[2]['points'].dtype == np.float32
    assert np.array_equal(data[2]['points'], points[3].astype(np.float32))
    assert labels(build(tmp_path, files=['a.npz'], labelled_only=True)) == [0, 1]
    assert labels(build(tmp_path, files=['a.npz'], label_key='label_coarse', split='test')) == [0]


def test_several_packs_do_not_share_labels(tmp_path):
    write_pack(tmp_path / 'a.npz', [0, 2, -1], [0, 0, 0])
    write_pack(tmp_path / 'b.npz', [0, 1, -1], [0, 0, 0])
    assert labels(build(tmp_path, files=['a.npz', 'b.npz'])) == [0, 2, -1, 3, 4, -1]
    np.savez(tmp_path / 'none.npz', points=np.zeros((0, 5, 3)), label=np.zeros(0, np.uint8))
    assert labels(build(tmp_path, files=['none.npz', 'b.npz'])) == [0, 1, -1]


def test_absent_arrays(tmp_path):
    np.savez(tmp_path / 'a.npz', points=np.zeros((2, 5, 3)))
    assert labels(build(tmp_path, files=['a.npz'])) == [-1, -1]
    with pytest.raises(ValueError, match=r'holds no shapes for split=test\. Expected .* split \(n,\)'):
        build(tmp_path, files=['a.npz'], split='test')
    with pytest.raises(ValueError, match="no array 'label'"):
        build(tmp_path, files=['a.npz'], labelled_only=True)
    np.savez(tmp_path / 'b.npz', xyz=np.zeros((2, 5, 3)))
    (tmp_path / 'c.npz').write_bytes(b'PK damaged')
    with pytest.raises(FileNotFoundError, match='of 3 files checked, 2 unreadable, 1 missing'):
        build(tmp_path, files=['b.npz', 'c.npz', 'd.npz'])


@pytest.mark.parametrize('name', ['label', 'split', 'name'])
def test_arrays_must_be_as_long_as_the_points(tmp_path, name):
    arrays = {key: np.zeros(3, np.int64) for key in ('label', 'split', 'name')}
    np.savez(tmp_path / 'a.npz', points=np.zeros((3, 5, 3)), **{**arrays, name: arrays[name][:2]})
    with pytest.raises(ValueError, match=rf'a.npz \({name} has the shape \(2,\), the points \(3, 5, 3\)'):
        build(tmp_path, files=['a.npz'])


@pytest.mark.parametrize('name', ['label', 'split', 'name'])
def test_arrays_with_a_column_are_those_without(tmp_path, name):
    arrays = dict(label=np.array([0, 1, 2]), split=np.array([0, 1, 0]), name=np.array(['mug', 'bowl', 'vase']))
    np.savez(tmp_path / 'a.npz', points=np.zeros((3, 5, 3)), **{**arrays, name: arrays[name][:, None]})
    data = build(tmp_path, files=['a.npz'])
    assert [(data[i]['name'], data[i]['gt_label']) for i in range(len(data))] == [('a/mug', 0), ('a/vase', 2)]


def test_splits_are_numbers(tmp_path):
    np.savez(tmp_path / 'a.npz', points=np.zeros((3, 5, 3)), label=[0, 1, 2], split=['train', 'test', 'test'])
    with pytest.raises(ValueError, match=r'a.npz \(split holds <U5, it must hold whole numbers'):
        build(tmp_path, files=['a.npz'])


@pytest.mark.parametrize('arrays', [
    dict(label=[0., 1., 2.], split=[0, 1, 0]),
    dict(label=[0, 1, 2], split=[False, True, False]),
    dict(label=[0, 1, 2], split=[0, 2, 0]),
    dict(label=[0, 1, 2], split=[0, -1, 0]),
])
def test_numbers_of_any_kind_and_other_splits_pass(tmp_path, arrays):
    np.savez(tmp_path / 'a.npz', points=np.zeros((3, 5, 3)), **arrays)
    data = build(tmp_path, files=['a.npz'])
    assert [data[i]['gt_label'] for i in range(len(data))] == [0, 2]


def test_a_shape_of_nan_only_is_named_when_its_pack_is_loaded(tmp_path):
    points = np.zeros((3, 5, 3), np.float16)
    points[1, :, 0] = np.nan
    np.savez(tmp_path / 'a.npz', points=points, name=np.array(['mug', 'bowl', 'vase']))
    np.savez(tmp_path / 'b.npz', points=points)
    with pytest.raises(ValueError, match='2 unreadable.\n.*a/bowl .all 5 points hold NaN or infinite') as error:
        build(tmp_path, files=['a.npz', 'b.npz'])
    assert 'b/1 (all 5 points' in str(error.value)


def test_parts(tmp_path):
    part = np.repeat([[0, 1], [2, 3]], 10, 1).astype(np.int16)
    write_pack(tmp_path / 'labeled_parts.npz', [0, 0], [0, 1], category=np.array([0, 1]), part=part)
    (tmp_path / 'categories.json').write_text(json.dumps(dict(Cup=[0, 1], Vase=[2, 3])))
    data = build(tmp_path, 'M2AEPartsNpz', split='test')
    assert data.metainfo['parts'] == dict(Cup=(0, 1), Vase=(2, 3))
    assert data[0]['category'] == 'Vase' and data[0]['gt_label'] == 1
    assert np.array_equal(data[0]['pts_semantic_mask'], part[1])
    write_pack(tmp_path / 'labeled_parts.npz', [0, 0], [0, 1], category=np.array([0, 1]), part=part[:, :19])
    with pytest.raises(ValueError, match=r'part has the shape \(2, 19\).*must be \(2, 20\)'):
        build(tmp_path, 'M2AEPartsNpz')


@pytest.mark.parametrize('category, part, message', [
    ([0, 1], [0, 2], r'a Cup has the part labels \(0, 1\), found \[0, 2\]'),
    ([0, -1], [0, 1], r'category holds \[-1, 0\] as its least and greatest.*lists 2, numbered from 0: Cup, Vase'),
    ([0, 2], [0, 1], r'category holds \[0, 2\]'),
    ([0, 0], [0., 0.5], 'part holds float64, it must hold whole numbers'),
])
def test_packs_of_unlisted_categories_or_parts_are_refused(tmp_path, category, part, message):
    (tmp_path / 'categories.json').write_text(json.dumps(dict(Cup=[0, 1], Vase=[2, 3])))
    np.savez(tmp_path / 'labeled_parts.npz', points=np.zeros((2, 2, 3)), category=category, part=np.array([part] * 2))
    with pytest.raises(ValueError, match=rf'labeled_parts.npz \({message}'):
        build(tmp_path, 'M2AEPartsNpz')


def test_parts_of_other_splits_do_not_matter(tmp_path):
    (tmp_path / 'categories.json').write_text(json.dumps(dict(Cup=[0, 1])))
    np.savez(tmp_path / 'labeled_parts.npz', points=np.zeros((2, 2, 3)), category=[0, 5], part=[[0, 1], [9, 9]],
             split=[0, 1])
    assert build(tmp_path, 'M2AEPartsNpz')[0]['pts_semantic_mask'].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r'category holds \[5, 5\]'):
        build(tmp_path, 'M2AEPartsNpz', split='test')


def test_parts_with_a_column_are_those_without(tmp_path):
    (tmp_path / 'categories.json').write_text(json.dumps(dict(Cup=[0, 1])))
    part = np.array([[[0], [1]], [[1], [1]]])
    np.savez(tmp_path / 'labeled_parts.npz', points=np.zeros((2, 2, 3)), category=np.zeros((2, 1), int), part=part)
    data = build(tmp_path, 'M2AEPartsNpz')
    assert [data[i]['pts_semantic_mask'].tolist() for i in range(2)] == [[0, 1], [1, 1]]
