"""The CPU's tree of boxes where halving comes to its limits."""
import numpy as np
import pytest

from m2ae_mm.ops.tree import _halve


def halve(*values):
    """End of the first half, and coordinates and order of points with these values along y."""
    coordinates, order = np.zeros((3, len(values)), np.float32), np.arange(len(values))
    coordinates[1] = values
    bound = np.concatenate([coordinates.min(1), coordinates.max(1)])
    with np.errstate(over='ignore', invalid='ignore'):
        # Not compiled: numba may fail where Python calls what a kernel from its cache has called before.
        end = _halve.py_func(coordinates, order, 0, len(values), bound)
    return end, coordinates[1].tolist(), order.tolist()


def test_the_middle_belongs_to_the_first_half():
    assert halve(4, 0, 3, 2) == (2, [0, 2, 3, 4], [1, 3, 2, 0])


def test_neighbouring_floats_are_told_apart():
    low = np.nextafter(np.float32(1), np.float32(2))
    high = np.nextafter(low, np.float32(2))  # to which their mean is rounded
    assert halve(high, low, high, low, high)[:2] == (2, [low] * 2 + [high] * 3)


@pytest.mark.parametrize('values', [[2.] * 5, [0., 1, 2, np.inf], [0., 1, -np.inf, np.inf], [-3e38, 0, 1, 3e38]])
def test_points_that_cannot_be_halved_stay_as_they_are(values):
    assert halve(*values) == (0, np.float32(values).tolist(), list(range(len(values))))
