import numpy as np
import pytest

from m2ae_mm.evaluation.retrieval import nearest_neighbours, share_of_class


def test_the_nearest_come_first():
    # Directions on a circle, a degree apart; the lengths are of no account.
    angles = np.deg2rad(np.arange(0, 360, 10))
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    found = nearest_neighbours(circle * np.linspace(1, 1, 36)[:, None], circle[[0, 9]] * 7, 3)
    assert found[:, 0].tolist() == [0, 9]
    assert [set(row[1:].tolist()) for row in found] == [{1, 35}, {8, 10}]


def test_a_channel_that_all_share_is_of_no_account():
    """Two groups differ in a small channel; a large one has noise about a common value."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 10)
    features = np.stack([1000 + rng.normal(size=20), 1e-3 * (2 * group - 1) + 1e-5 * rng.normal(size=20)], 1)
    queries = np.array([[1000, -1e-3], [1000, 1e-3]])
    found = nearest_neighbours(features, queries, 6)
    assert (group[found] == [[0], [1]]).all()
    scaled = nearest_neighbours(features * [5, 1e6], queries * [5, 1e6], 6)
    assert np.array_equal(found, scaled)


def test_equal_shapes_keep_their_order_and_constant_features_are_no_error():
    features = np.array([[1., 2.], [3., 1.], [1., 2.], [1., 2.]])
    assert nearest_neighbours(features, features[:1], 3).tolist() == [[0, 2, 3]]
    assert nearest_neighbours(np.ones((3, 2)), np.ones((1, 2)), 2).tolist() == [[0, 1]]


def test_share_of_neighbours_with_the_class_of_the_query():
    labels, queries = np.array([0, 0, 1, 1]), np.array([0, 1])
    assert share_of_class(labels, queries, np.array([[0, 1], [0, 2]])) == 75
    assert share_of_class(labels, queries, np.array([[3], [0]])) == 0


@pytest.mark.parametrize('features, queries, message', [
    (np.zeros((2, 3)), np.zeros((1, 3)), '3 neighbours of each shape are wanted, there are 2'),
    (np.zeros((9, 3)), np.zeros((1, 4)), r'got \(9, 3\) and \(1, 4\)'),
    (np.zeros(9), np.zeros((1, 4)), r'got \(9,\)'),
])
def test_what_cannot_be_searched_is_refused(features, queries, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(features, queries, 3)
