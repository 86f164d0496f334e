import contextlib

import pytest


@pytest.fixture
def device(request):
    """Where tensors take the path of :data:`interpreted.every_path` that the test runs with."""
    from interpreted import DEVICE, on_gpu_kernels

    from m2ae_mm.ops import use_reference
    paths = dict(reference=use_reference, cpu=contextlib.nullcontext, gpu=on_gpu_kernels)
    with paths[request.param]():
        yield DEVICE if request.param == 'gpu' else 'cpu'
