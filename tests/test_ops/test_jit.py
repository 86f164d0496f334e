import numpy as np
import pytest
from numba.core.caching import FunctionCache

from m2ae_mm.ops.jit import kernel, reordering_kernel


def test_kernels_run_where_nothing_can_be_written(monkeypatch):
    """As from a package in a read-only image for a user without a home."""
    monkeypatch.setattr(FunctionCache._impl_class, '_locator_classes', [])
    doubled = kernel(lambda values: 2 * values)
    assert doubled(np.array([1., 2.])).tolist() == [2, 4]
    total = reordering_kernel(lambda values: values.sum())
    assert total(np.array([1., 2.])) == pytest.approx(3)
