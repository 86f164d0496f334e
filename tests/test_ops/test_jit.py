import numpy as np
import pytest

from m2ae_mm.ops.cpu import jit


def test_kernels_run_where_nothing_can_be_written(monkeypatch):
    """As from a package in a read-only image for a user without a home."""
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return real(**options)

    real = jit.njit
    monkeypatch.setattr(jit, 'njit', njit)
    doubled = jit.kernel(lambda values: 2 * values)
    assert doubled(np.array([1., 2.])).tolist() == [2, 4]
    total = jit.reordering_kernel(lambda values: values.sum())
    assert total(np.array([1., 2.])) == pytest.approx(3)
