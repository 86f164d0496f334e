"""How batches reach an accelerator."""
import torch
from mmengine.config import Config

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def pin_memory(config: Config) -> None:
    """Have batches wait in page-locked memory where there is an accelerator, unless the config says otherwise.

    A thread of each loader then takes them from the loading processes while
    the training waits for the device, and their transfer is faster.

    Args:
        config: A full config, changed in place.
    """
    if not torch.accelerator.is_available() or torch.accelerator.current_accelerator().type == 'mps':
        return  # Apple's shares the host's memory
    loaders = [config.get(name) for name in _LOADERS]
    loaders += [hook.get('dataloader') for hook in config.get('custom_hooks') or []]
    for loader in loaders:
        if isinstance(loader, dict):
            loader.setdefault('pin_memory', True)
