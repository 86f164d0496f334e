import numpy as np
import pytest

from m2ae_mm.datasets.rooms import CLASSES, load_furniture
from m2ae_mm.datasets.rooms.shapes_of_furniture import labelled_shapes, unit_shape
from m2ae_mm.evaluation.linear_probe_metric import cross_validated_accuracy


def test_shapes_are_of_kinds_with_enough_pieces():
    shapes = labelled_shapes(points=64)
    counts = np.bincount(shapes.labels)
    assert counts.min() >= 5 and len(counts) == len(shapes.names) and len(shapes.points) == counts.sum()
    assert counts[shapes.names.index('chair')] == 52 and 'potted plant' in shapes.names
    assert 'curtain' in CLASSES and 'curtain' not in shapes.names  # a single one


def test_alike_shapes_are_named_so():
    shapes = labelled_shapes(points=8)
    # Some pieces come in several colours, and all of a look have one kind.
    assert len(set(shapes.looks)) < len(shapes.looks)
    assert len({*zip(shapes.looks.tolist(), shapes.labels.tolist())}) == len(set(shapes.looks))


def test_a_shape_is_always_the_same_and_in_the_unit_sphere():
    piece = load_furniture().piece(0)
    shape = unit_shape(piece, 100)
    assert shape.dtype == np.float32 and shape.shape == (100, 3)
    np.testing.assert_allclose(shape.mean(axis=0), 0, atol=1e-6)
    assert np.linalg.norm(shape, axis=1).max() == pytest.approx(1)
    np.testing.assert_array_equal(shape, unit_shape(piece, 100))


def test_shapes_that_are_alike_do_not_classify_each_other():
    """Features that tell looks, but nothing of the class, are right by heart and worth nothing otherwise."""
    rng = np.random.default_rng(0)
    looks = np.repeat(np.arange(60), 2)
    labels = rng.integers(0, 2, 60)[looks]
    features = rng.normal(size=(60, 40))[looks]
    assert cross_validated_accuracy(features, labels, np.arange(120)) > 70
    assert cross_validated_accuracy(features, labels, looks) < 60
    assert cross_validated_accuracy(np.column_stack([features, 9 * labels]), labels, looks) == 100
