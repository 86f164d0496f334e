"""Packs that share one list of classes, and those that come with the package."""
import csv
import json

import numpy as np
import pytest

from m2ae_mm.datasets.io.grid_points import from_steps, to_steps
from m2ae_mm.datasets.npz_shapes import SHIPPED_SHAPES
from m2ae_mm.files import load_arrays
from mmdet3d.registry import DATASETS


def build(**options):
    return DATASETS.build(dict(type='M2AEFreeShapes', **options))


def write_pack(path, labels, **more):
    points = np.random.default_rng(0).normal(size=(len(labels), 20, 3)).astype(np.float16)
    np.savez(path, label=np.array(labels), **{'points': points, **more})


def labels(data):
    return np.array([data.get_data_info(i)['gt_label'] for i in range(len(data))])


@pytest.mark.parametrize('count', [1, 500])
def test_points_stay_within_their_cells_of_two_millimetres(count):
    points = np.random.default_rng(0).uniform(-1, 1, (3, count, 3)).astype(np.float16)
    found = from_steps(to_steps(points))
    assert found.dtype == np.float32 and found.shape == points.shape
    for shape, expected in zip(found, points.astype(np.float64)):
        distance = np.linalg.norm(shape[:, None] - expected, axis=-1)
        assert distance.min(0).max() < 0.0035 and distance.min(1).max() < 0.0035
    assert np.array_equal(found, from_steps(to_steps(points)))


def test_points_come_in_no_order():
    points = np.random.default_rng(0).uniform(-1, 1, (1, 1000, 3))
    found = from_steps(to_steps(points))[0]
    assert np.abs(found[:500].mean(0) - found.mean(0)).max() < 0.1


@pytest.mark.parametrize('steps', [np.zeros((3, 2, 5), np.uint8), np.zeros((4, 2, 5), np.int64), np.zeros((4, 5))])
def test_steps_of_another_kind_are_refused(steps, tmp_path):
    np.savez(tmp_path / 'a.npz', steps=steps)
    with pytest.raises(ValueError, match=r'a.npz \(steps between the cells of points must be \(4, n, N\) of uint8'):
        build(data_root=str(tmp_path))


def test_shapes_of_the_package():
    train, test = build(labelled_only=True), build(split='test')
    classes = train.metainfo['classes']
    assert len(classes) == 30 and {'chair', 'car', 'tree_conifer'} <= set(classes)
    both = [np.bincount(labels(data), minlength=30) for data in (train, test)]
    assert both[0].min() >= 12 and both[1].min() >= 4 and sum(both).max() <= 40
    assert len(build()) > 2 * len(train)  # those without a class are for pre-training
    for data in (train, test):
        lengths = [np.linalg.norm(data[i]['points'], axis=1).max() for i in range(0, len(data), 10)]
        assert data[0]['points'].shape == (1024, 3) and min(lengths) > 0.9 and max(lengths) < 1.005


def test_variants_of_a_model_are_on_one_side():
    pack = load_arrays(SHIPPED_SHAPES / 'free_shapes.npz')
    sides = {}
    for group, label, split in zip(pack['group'], pack['label'], pack['split']):
        if label >= 0:
            sides.setdefault((group, label), set()).add(split)
    assert all(len(found) == 1 for found in sides.values())


def test_every_shape_of_the_package_is_credited_and_cc0():
    with open(SHIPPED_SHAPES / 'CREDITS.tsv', newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    assert [row['name'] for row in rows] == load_arrays(SHIPPED_SHAPES / 'free_shapes.npz')['name'].tolist()
    assert {row['licence'] for row in rows} == {'CC0-1.0'} and all(row['author'] for row in rows)


def test_packs_share_their_classes(tmp_path):
    write_pack(tmp_path / 'a.npz', [0, 2, -1])
    write_pack(tmp_path / 'b.npz', [1, 2])
    assert labels(build(data_root=str(tmp_path))).tolist() == [0, 2, -1, 1, 2]
    assert labels(build(data_root=str(tmp_path), files='b.npz')).tolist() == [1, 2]
    (tmp_path / 'classes.json').write_text(json.dumps(dict(classes=['bed', 'chair', 'table'])))
    assert build(data_root=str(tmp_path)).metainfo['classes'] == ('bed', 'chair', 'table')


@pytest.mark.parametrize('content, message', [
    (dict(classes=['bed', 'chair']), r'a/1 \(the label 2, and classes.json names 2 classes'),
    (dict(classes='bed'), "classes.json must be a list or tuple of names, got the string 'bed'"),
    (dict(kicad=['bed']), 'classes.json must be a list or tuple of names'),
    (['bed'], 'it holds list, dict is needed'),
])
def test_names_that_do_not_fit_are_refused(content, message, tmp_path):
    write_pack(tmp_path / 'a.npz', [0, 2])
    (tmp_path / 'classes.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        build(data_root=str(tmp_path))


def test_a_folder_without_packs_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'1 missing(.|\n)*\*\.npz'):
        build(data_root=str(tmp_path))
