"""Threads for clouds, and processes forked from one that has used them."""
import os
import signal
import threading

import pytest
import torch
from clouds import cloud
from torch.utils.data import DataLoader, Dataset

from m2ae_mm import ops
from m2ae_mm.ops.threads import for_each_cloud


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
