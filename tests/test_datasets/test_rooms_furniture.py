"""The furniture asset: geometry, credits and the split of items."""
import csv

import numpy as np
import pytest

from m2ae_mm.datasets.rooms import shapes
from m2ae_mm.datasets.rooms.furniture import (
    ASSET,
    CLASS_NYU40,
    CLASSES,
    OTHER,
    Furniture,
    load_furniture,
    semantic_id,
    split_items,
)
from mmdet3d.datasets import ScanNetDataset


def pieces(split):
    return [load_furniture().piece(int(i)) for i in load_furniture().members(split)]


def test_train_and_val_share_only_single_item_classes():
    furniture = load_furniture()
    shared = set(furniture.members('train')) & set(furniture.members('val'))
    assert furniture.shared_classes() == ['curtain', 'showercurtrain']
    assert len(shared) == 2
    assert len(furniture.members('train')) + len(furniture.members('val')) == 546 + 2
    for split in ('train', 'val'):
        assert {piece.label for piece in pieces(split)} >= set(range(len(CLASSES)))


def test_points_fill_the_exact_box():
    for piece in (each for each in pieces('train') if each.label == CLASSES.index('sofa')):
        low, high = piece.points.min(axis=0), piece.points.max(axis=0)
        np.testing.assert_allclose(low, [-piece.size[0] / 2, -piece.size[1] / 2, 0], atol=0.02)
        np.testing.assert_allclose(high - low, piece.size, atol=0.03)
        np.testing.assert_allclose(np.linalg.norm(piece.normals, axis=1), 1, atol=1e-9)


def test_every_item_has_credits():
    with open(ASSET.with_name('FURNITURE_CREDITS.tsv'), newline='', encoding='utf-8') as stream:
        rows = {row['item']: row for row in csv.DictReader(stream, delimiter='\t')}
    assert {piece.item for piece in pieces('train') + pieces('val')} == set(rows)
    assert {row['licence'] for row in rows.values()} == {'CC0-1.0', 'CC-BY-3.0', 'CC-BY-3.0-US'}
    assert all(row['author'] for row in rows.values() if row['licence'] != 'CC0-1.0')


def test_scaling_keeps_normals_perpendicular():
    slope = shapes.folds(np.random.default_rng(0), (1.0, 0.1, 2.0), 'curtain', CLASSES.index('curtain'), 0.0)
    wide = slope.scaled((3.0, 1.0, 0.5))
    np.testing.assert_allclose(wide.size, [3.0, 0.1, 1.0])
    # Along the fold: y = a sin(2 pi n x / w), so the tangent is known for every point.
    order = np.argsort(wide.points[:, 0])
    step = np.diff(wide.points[order], axis=0)
    step[:, 2] = 0
    tangent = step / np.linalg.norm(step, axis=1, keepdims=True)
    assert np.median(np.abs((tangent * wide.normals[order][:-1]).sum(axis=1))) < 0.01


def test_semantic_ids_agree_with_boxes():
    assert semantic_id(CLASSES.index('chair'), 5) == 5
    # A kitchen island is 38 in ScanNet's table but a counter here; a wardrobe is 39, as bins are, but has no box.
    assert semantic_id(CLASSES.index('counter'), 38) == 12
    assert semantic_id(OTHER, 39) == 40
    assert semantic_id(OTHER, 35) == 35


def test_missing_asset_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'furniture\.npz.*reinstall'):
        Furniture(tmp_path / 'furniture.npz')


def test_classes_and_their_nyu40_ids_are_those_of_mmdet3d():
    assert ScanNetDataset.METAINFO['seg_valid_class_ids'] == CLASS_NYU40
    assert ScanNetDataset.METAINFO['classes'] == CLASSES


def test_a_wall_cabinet_spans_its_box_and_hangs_at_its_height():
    furniture = load_furniture()
    piece = furniture.piece(8)  # its points reach all sides of its box, which not all models' do
    low, high = piece.points.min(axis=0), piece.points.max(axis=0)
    np.testing.assert_allclose(low, [-0.3, -0.205, 0], atol=1e-7)
    np.testing.assert_allclose(high, [0.3, 0.205, 0.566], atol=1e-7)
    assert (piece.kind, piece.elevation, piece.top) == ('kitchen cabinet', pytest.approx(1.604), pytest.approx(0.566))


def test_scaling_moves_the_top_and_thins_the_points():
    block = shapes.block(np.random.default_rng(0), (1.0, 0.5, 0.7), 'block', 0, 3)
    scaled = block.scaled((3.0, 1.0, 0.5))
    assert scaled.top == pytest.approx(0.35) and scaled.spacing == pytest.approx(3 * block.spacing)
    assert shapes.folds(np.random.default_rng(0), (1.0, 0.1, 2.0), 'curtain', 11, 0.0).scaled((1, 1, 2)).top == -1


@pytest.mark.parametrize('kinds, names, widths, train, val', [
    # One look of the class: it serves both. Two looks: one for each.
    ('aa', 'xx', (1.0, 1.004), 2, 2),
    ('aa', 'xx', (1.0, 1.03), 1, 1),
    ('aa', 'xy', (1.0, 1.0), 1, 1),
    ('ab', 'xx', (1.0, 1.0), 1, 1),
    # 30 % of the looks of a kind.
    ('a' * 10, 'abcdefghij', (1.0, ) * 10, 7, 3),
    ('a' * 20, 'abcdefghijklmnopqrst', (1.0, ) * 20, 14, 6),
])
def test_looks_are_kind_name_and_size_and_three_of_ten_are_held_out(kinds, names, widths, train, val):
    size = np.array([(width, 1.0, 1.0) for width in widths])
    split = split_items(np.full(len(size), 2), np.array(list(kinds)), np.array(list(names)), size)
    assert (len(split['train']), len(split['val'])) == (train, val)


def test_look_alikes_are_on_one_side():
    """Wherever their look comes in the order of the kind: one of the three is held out."""
    held_out = []
    for names in ('xxyz', 'axxz', 'abxx'):
        size = np.array([(1.0 + 0.004 * (names[:i + 1].count('x') == 2), 1.0, 1.0) for i in range(4)])
        split = split_items(np.full(4, 2), np.array(['a'] * 4), np.array(list(names)), size)
        assert sorted([*split['train'], *split['val']]) == [0, 1, 2, 3]
        pair = {i for i in range(4) if names[i] == 'x'}
        assert pair <= {*split['train']} or pair <= {*split['val']}, names
        held_out.append(pair <= {*split['val']})
    assert sum(held_out) == 1
