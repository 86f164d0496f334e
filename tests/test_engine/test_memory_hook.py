"""What a training frees does not stay with it."""
import sys
from types import SimpleNamespace

import pytest
import torch

from m2ae_mm.engine.hooks import M2AEMemoryHook


def resident() -> int:
    """MB."""
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096 // 2**20


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc')
def test_memory_freed_between_kept_tensors_goes_back():
    hook = M2AEMemoryHook()
    if hook.trim is None:
        pytest.skip('the C library has no malloc_trim')
    # Tensors below glibc's limit for memory of its own; what is kept stands between those that go.
    tensors = [torch.ones(2**14) for _ in range(4000)]
    kept = tensors[::40]
    full = resident()
    del tensors
    hook.after_train_iter(SimpleNamespace(iter=8), 8)
    unchanged = resident()
    hook.after_train_iter(SimpleNamespace(iter=9), 9)
    assert full - resident() > 150
    assert unchanged - resident() > 150  # only the tenth step trims
    assert all(bool((each == 1).all()) for each in kept)
