import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import m2ae_mm  # noqa: F401  registers everything before any test builds a config

# Small tensors: threads cost more than they bring, and two test runs side by side would fight for cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No test has the default scope, or the logger (its level, file and captured screen), of a test before it."""
    MMLogger._instance_dict.clear()
    DefaultScope._instance_dict.clear()
