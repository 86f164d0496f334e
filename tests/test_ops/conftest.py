import contextlib

import pytest
from interpreted import DEVICE, on_gpu_kernels

from m2ae_mm.ops import use_reference


@pytest.fixture
def device(request):
    """Where tensors take the path of :data:`interpreted.every_path` that the test runs with."""
    paths = dict(reference=use_reference, cpu=contextlib.nullcontext, gpu=on_gpu_kernels)
    with paths[request.param]():
        yield DEVICE if request.param == 'gpu' else 'cpu'
