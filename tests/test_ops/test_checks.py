import pytest
import torch
from clouds import cloud

from m2ae_mm import ops


def test_check_finite():
    points = cloud('random', 2, 5)
    ops.check_finite(points, 'points')
    ops.check_finite(torch.full((1, 4, 3), 3e38), 'points')  # the sum overflows, the values are fine
    points[1, 3, 0] = float('nan')
    points[1, 4, 2] = float('-inf')
    with pytest.raises(ValueError, match=r'points holds 2 points with NaN or infinity, the first at \(1, 3\): \[nan'):
        ops.check_finite(points, 'points')
