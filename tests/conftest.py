import pytest


def pytest_collect_file():
    """Imports here and not at the top of a conftest.py, which the process that hands tests out to others reads, too."""
    import torch

    import m2ae_mm  # noqa: F401  registers everything before any test builds a config
    # Small tensors: threads cost more than they bring, and two test runs side by side would fight for cores.
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Long tests first: at the end, other processes would wait for the one that has them."""
    items.sort(key=lambda item: item.path.name not in ('test_interpreted.py', 'test_playbook.py', 'test_demo.py'))


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No test has the default scope, or the logger (its level, file and captured screen), of a test before it."""
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope
    MMLogger._instance_dict.clear()
    DefaultScope._instance_dict.clear()
