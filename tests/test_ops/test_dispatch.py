"""Choice of implementation, torch.compile, threads and forked workers."""
import os
import signal
import sys
import threading

import pytest
import torch
from clouds import cloud
from torch.utils.data import DataLoader, Dataset

from m2ae_mm import ops
from m2ae_mm.ops import dispatch, reference
from m2ae_mm.ops.threads import for_each_cloud


def test_switch_is_restored_after_an_error():
    fast = dispatch.backend('cpu')
    assert fast is not reference
    with pytest.raises(RuntimeError), ops.use_reference(), ops.use_reference():
        assert dispatch.backend('cpu') is reference
        raise RuntimeError
    assert dispatch.backend('cpu') is fast
    assert dispatch.backend('mps') is reference


@pytest.mark.parametrize('switch', ['kernels', 'auto', 'reference'])
def test_the_switch_is_restored_to_what_it_was(monkeypatch, switch):
    monkeypatch.setattr(dispatch, '_switch', switch)
    with ops.use_reference():
        with ops.use_reference():
            pass
        assert dispatch.reference_only()
    assert dispatch._switch == switch


def test_graphs_are_recorded_on_a_gpu_unless_the_switch_says_otherwise(monkeypatch):
    monkeypatch.setattr(dispatch, '_load', lambda *_: torch)  # any module but the reference
    allowed = {}
    for switch in ('auto', 'kernels', 'reference'):
        monkeypatch.setattr(dispatch, '_switch', switch)
        allowed[switch] = [dispatch.graphs_allowed(device) for device in ('cuda', 'cpu')]
    assert allowed == dict(auto=[True, False], kernels=[False, False], reference=[False, False])


@pytest.mark.parametrize('dtype,converts,served', [
    (torch.float32, False, True), (torch.float32, True, True), (torch.bfloat16, False, False),
    (torch.bfloat16, True, True), (torch.float64, False, False), (torch.float64, True, False)])
def test_cpu_kernels_serve_float32_and_what_may_be_converted_to_it(dtype, converts, served):
    assert (dispatch.cpu_kernels(torch.zeros(2, dtype=dtype), converts) is not None) is served



def test_environment_switch(monkeypatch):
    for value in ('reference', 'kernels', 'auto'):
        monkeypatch.setenv('M2AE_OPS', value)
        assert dispatch._read_switch() == value
    monkeypatch.setenv('M2AE_OPS', 'fast')
    with pytest.raises(ValueError, match="must be 'auto', 'kernels' or 'reference', got 'fast'"):
        dispatch._read_switch()


def test_missing_numba_means_reference(monkeypatch):
    dispatch._load.cache_clear()
    monkeypatch.setitem(sys.modules, 'numba', None)
    for name in [name for name in sys.modules if name.startswith('m2ae_mm.ops.cpu')]:
        monkeypatch.delitem(sys.modules, name)
    try:
        with pytest.raises(ModuleNotFoundError, match='numba'):
            dispatch._load('.cpu', 'another library')
        assert dispatch._load('.cpu', 'numba') is reference
    finally:
        dispatch._load.cache_clear()


@pytest.mark.parametrize('name', ['furthest_point_sample', 'knn', 'ball_query', 'points_in_boxes', 'count_in_grids'])
def test_custom_ops_keep_their_promises(name):
    points = cloud('random', 2, 40)
    arguments = {'furthest_point_sample': (points, 7), 'knn': (points[:, :5], points, 3),
                 'ball_query': (points[:, :5], points, 0.3, 4, 0.),
                 'points_in_boxes': (points, torch.rand(2, 8, 3)),
                 'count_in_grids': (points, torch.rand(2, 8, 3), 2, 3)}[name]
    torch.library.opcheck(getattr(dispatch, name), arguments)


def test_compiles_into_one_graph():

    def group(points):
        centers = ops.gather(points, ops.furthest_point_sample(points, 8))
        return ops.gather(points, ops.knn(centers, points, 4)).sum() + ops.ball_query(centers, points, 0.2, 3).sum()

    points = cloud('random', 2, 50)
    assert torch.equal(torch.compile(group, backend='aot_eager', fullgraph=True)(points), group(points))


class _Picks(Dataset):
    """Picks from cloud i, made inside a worker."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        points = cloud('random', 2, 300, seed=index)
        return ops.furthest_point_sample(points, 20), ops.knn(points, points, 3)


def test_forked_workers_after_threads_in_the_parent():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = [_Picks()[i] for i in range(4)]
        loader = DataLoader(_Picks(), batch_size=None, num_workers=2, multiprocessing_context='fork', timeout=60)
        for (picked, nearest), (expected_picked, expected_nearest) in zip(loader, expected):
            assert torch.equal(picked, expected_picked) and torch.equal(nearest, expected_nearest)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)



def test_errors_in_threads_are_raised():
    def fail(cloud_index):
        raise RuntimeError(f'cloud {cloud_index}')

    with pytest.raises(RuntimeError, match='cloud 0'):
        for_each_cloud(fail, 4)


def test_errors_in_other_threads_are_raised_too(two_threads):
    here, taken = threading.current_thread(), threading.Event()

    def fail_elsewhere(cloud_index):
        if threading.current_thread() is here:
            taken.wait(5)
        else:
            taken.set()
            raise RuntimeError(f'cloud {cloud_index}')

    with pytest.raises(RuntimeError, match='cloud'):
        for_each_cloud(fail_elsewhere, 2)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_forked_process_starts_threads_of_its_own(two_threads):
    assert for_each_cloud(lambda index: index, 3) == [0, 1, 2]
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # ends it where it waits for the parent's threads
        os._exit(0 if for_each_cloud(lambda index: index, 3) == [0, 1, 2] else 1)
    assert os.waitpid(child, 0)[1] == 0



def test_check_finite():
    points = cloud('random', 2, 5)
    ops.check_finite(points, 'points')
    ops.check_finite(torch.full((1, 4, 3), 3e38), 'points')  # the sum overflows, the values are fine
    points[1, 3, 0] = float('nan')
    points[1, 4, 2] = float('-inf')
    with pytest.raises(ValueError, match=r'points holds 2 points with NaN or infinity, the first at \(1, 3\): \[nan'):
        ops.check_finite(points, 'points')


def test_kernels_work_where_nothing_can_be_cached(monkeypatch):
    from numba.core.caching import FunctionCache

    from m2ae_mm.ops.cpu.jit import kernel
    monkeypatch.setattr(FunctionCache._impl_class, '_locator_classes', [])
    doubled = kernel(lambda x: 2 * x)
    assert doubled(21) == 42
