"""Choice of implementation, imports at the first use, torch.compile."""
import sys

import pytest
import torch
from clouds import cloud
from processes import in_fresh_process

from m2ae_mm import ops
from m2ae_mm.ops import dispatch
from m2ae_mm.ops.dispatch import CPU, Kernels


@pytest.mark.parametrize('switch', ['kernels', 'auto', 'reference'])
def test_the_switch_is_restored_to_what_it_was(monkeypatch, switch):
    monkeypatch.setattr(dispatch, '_switch', switch)
    with pytest.raises(RuntimeError), ops.use_reference():
        with ops.use_reference():
            pass
        assert ops.reference_only() and dispatch.kernels_of('cpu') is None
        raise RuntimeError
    assert dispatch._switch == switch


def test_kernels_serve_where_there_are_some():
    assert dispatch.kernels_of('cpu') is CPU and dispatch.kernels_of('mps') is None


def test_graphs_are_recorded_on_a_gpu_unless_the_switch_says_otherwise(monkeypatch):
    monkeypatch.setitem(dispatch._KERNELS, 'cuda', CPU)  # any that are installed
    allowed = {}
    for switch in ('auto', 'kernels', 'reference'):
        monkeypatch.setattr(dispatch, '_switch', switch)
        allowed[switch] = [dispatch.graphs_allowed(device) for device in ('cuda', 'cpu')]
    assert allowed == dict(auto=[True, False], kernels=[False, False], reference=[False, False])


@pytest.mark.parametrize('dtype,converts,served', [
    (torch.float32, False, True), (torch.float32, True, True), (torch.bfloat16, False, False),
    (torch.bfloat16, True, True), (torch.float64, False, False), (torch.float64, True, False)])
def test_cpu_kernels_serve_float32_and_what_may_be_converted_to_it(dtype, converts, served):
    assert (ops.cpu_kernels(torch.zeros(2, dtype=dtype), converts) is not None) is served


def test_environment_switch(monkeypatch):
    for value in ('reference', 'kernels', 'auto'):
        monkeypatch.setenv('M2AE_OPS', value)
        assert dispatch._read_switch() == value
    monkeypatch.setenv('M2AE_OPS', 'fast')
    with pytest.raises(ValueError, match="must be 'auto', 'kernels' or 'reference', got 'fast'"):
        dispatch._read_switch()


def test_a_missing_package_means_reference(monkeypatch):
    monkeypatch.setitem(sys.modules, 'numba', None)
    monkeypatch.setitem(dispatch._KERNELS, 'cpu', Kernels('cpu', 'numba'))
    assert dispatch.kernels_of('cpu') is None and ops.cpu_kernels(torch.zeros(2)) is None
    points = torch.tensor([[[0., 0, 0], [1, 0, 0], [3, 0, 0]]])
    assert ops.knn(points, points, 2).tolist() == [[[0, 1], [1, 0], [2, 1]]]


def _kernels_imported(use):
    if use:
        ops.furthest_point_sample(torch.rand(1, 20, 3), 3)
    return [name for name in sys.modules if name.startswith('m2ae_mm.ops.') and name.endswith(('.cpu', '.gpu'))]


def test_kernels_are_imported_at_their_first_use():
    """A process that has imported m2ae_mm has none; an operator brings its own and no others."""
    assert in_fresh_process(_kernels_imported, False) == []
    assert in_fresh_process(_kernels_imported, True) == ['m2ae_mm.ops.sampling.cpu']


def test_points_that_are_not_finite_are_named():
    points = cloud('random', 2, 5)
    ops.check_finite(points, 'points')
    ops.check_finite(torch.full((1, 4, 3), 3e38), 'points')  # the sum overflows, the values are fine
    points[1, 3, 0] = float('nan')
    points[1, 4, 2] = float('-inf')
    with pytest.raises(ValueError, match=r'points holds 2 points with NaN or infinity, the first at \(1, 3\): \[nan'):
        ops.check_finite(points, 'points')
