import torch
from mmengine.config import Config

from m2ae_mm.engine import pin_memory


def _config():
    return Config(dict(train_dataloader=dict(batch_size=2), val_dataloader=dict(pin_memory=False), test_dataloader=None,
                       custom_hooks=[dict(type='A'), dict(type='B', dataloader=dict(batch_size=4))]))


def test_loaders_pin_memory_where_there_is_an_accelerator(monkeypatch):
    monkeypatch.setattr('torch.accelerator.is_available', lambda: True)
    monkeypatch.setattr('torch.accelerator.current_accelerator', lambda: torch.device('cuda'))
    config = _config()
    pin_memory(config)
    assert config.train_dataloader.pin_memory and config.custom_hooks[1].dataloader.pin_memory
    assert not config.val_dataloader.pin_memory  # the config has the last word
    monkeypatch.setattr('torch.accelerator.is_available', lambda: False)
    unchanged = _config()
    pin_memory(unchanged)
    assert unchanged.to_dict() == _config().to_dict()
