import pytest
import torch
from mmengine.config import Config

from m2ae_mm.engine.preparation import prepare_loaders


def _config():
    return Config(dict(train_dataloader=dict(batch_size=2), val_dataloader=dict(pin_memory=False), test_dataloader=None,
                       custom_hooks=[dict(type='A'), dict(type='B', dataloader=dict(batch_size=4)), 'no hook']))


def test_loaders_pin_memory_where_there_is_an_accelerator(monkeypatch):
    monkeypatch.setattr('torch.accelerator.is_available', lambda: True)
    monkeypatch.setattr('torch.accelerator.current_accelerator', lambda: torch.device('cuda'))
    config = _config()
    prepare_loaders(config)
    assert config.train_dataloader.pin_memory and config.custom_hooks[1].dataloader.pin_memory
    assert not config.val_dataloader.pin_memory  # the config has the last word


@pytest.mark.parametrize('accelerator', [None, torch.device('mps')])  # Apple's shares the host's memory
def test_elsewhere_loaders_stay_as_they_are(monkeypatch, accelerator):
    monkeypatch.setattr('torch.accelerator.is_available', lambda: accelerator is not None)
    monkeypatch.setattr('torch.accelerator.current_accelerator', lambda: accelerator)
    unchanged = _config()
    prepare_loaders(unchanged)
    assert unchanged.to_dict() == _config().to_dict()


def test_without_loading_processes_nothing_is_said_of_them():
    config = Config(dict(train_dataloader=dict(num_workers=0, persistent_workers=True, prefetch_factor=2),
                         val_dataloader=dict(num_workers=2, persistent_workers=True),
                         test_dataloader=dict(persistent_workers=True)))
    prepare_loaders(config)
    assert set(config.train_dataloader) - {'pin_memory'} == {'num_workers'}
    assert config.val_dataloader.persistent_workers and 'persistent_workers' not in config.test_dataloader
