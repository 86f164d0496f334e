"""mmengine's logging history passes PyTorch's safe reader, other requests do not."""
import pickle

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.config.lazy import LazyObject
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


@pytest.mark.parametrize('value', [
    ConfigDict(), ConfigDict(classes=['a'], parts=dict(a=(1, 2)), deep=[dict(b=None)]),
    [ConfigDict(a=ConfigDict(b=1))]])
def test_what_a_config_told_a_data_set_is_read_as_dictionaries(value, tmp_path):
    torch.save(dict(meta=dict(dataset_meta=value)), tmp_path / 'a.pth')
    found = torch.load(tmp_path / 'a.pth', weights_only=True)['meta']['dataset_meta']
    assert found == value and not isinstance(found, ConfigDict)


class Built:
    """Asks for an object that ConfigDict would build when it is read."""

    def __reduce__(self):
        return (ConfigDict, (LazyObject('os', 'system'), ))


def test_nothing_is_built_for_a_config(tmp_path):
    torch.save(dict(meta=Built()), tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError, match='LazyObject'):
        torch.load(tmp_path / 'a.pth', weights_only=True)
