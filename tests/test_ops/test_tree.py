"""The CPU's tree of boxes where halving comes to its limits."""
import numpy as np
import pytest

from m2ae_mm.ops.cpu.tree import build


def on_a_line(*values):
    points = np.zeros((len(values), 3), np.float32)
    points[:, 1] = values
    return points


def test_neighbouring_floats_are_told_apart():
    low = np.nextafter(np.float32(1), np.float32(2))
    high = np.nextafter(low, np.float32(2))  # their mean is rounded to it
    coordinates, order, bounds, spans, skip = build(on_a_line(high, low, high, low, high), 1)
    assert spans.tolist() == [[0, 5], [0, 2], [2, 5]] and skip.tolist() == [3, 2, 3]
    assert coordinates[1].tolist() == [low] * 2 + [high] * 3
    assert sorted(order[:2]) == [1, 3] and bounds[:, [1, 4]].tolist() == [[low, high], [low, low], [high, high]]


@pytest.mark.parametrize('values', [[2.] * 5, [0., 1, 2, np.inf], [0., 1, -np.inf, np.inf], [-3e38, 0, 1, 3e38]])
def test_points_that_cannot_be_halved_share_a_leaf(values):
    *_, spans, skip = build(on_a_line(*values), 1)
    assert spans.tolist() == [[0, len(values)]] and skip.tolist() == [1]
