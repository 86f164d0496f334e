"""mmengine's logging history passes PyTorch's safe reader, other requests do not."""
import pickle

import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer


class Reach:
    """Asks for an attribute of a harmless class on the way to a harmful one."""

    def __reduce__(self):
        return (getattr, (HistoryBuffer, '__init__'))


def test_logging_history_survives_the_safe_reader(tmp_path):
    history = HistoryBuffer([1., 2., 6.], [1, 1, 1])
    torch.save(dict(history=history), tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)['history']
    assert loaded.mean() == 3. and loaded.statistics('max') == 6.


def test_getattr_is_limited_to_its_statistics(tmp_path):
    torch.save(dict(history=Reach()), tmp_path / 'a.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError), match='__init__'):
        torch.load(tmp_path / 'a.pth', weights_only=True)
