"""What loaders need that depends on the machine or on other options."""
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from .config_parts import LOADERS


def prepare_loaders(config: Config) -> None:
    """Use page-locked memory where there is an accelerator, and drop options of processes where there are none.

    A thread of each loader copies batches to page-locked memory while the
    training waits for the device, and their transfer is faster; what the
    config says about it stays. With ``num_workers=0`` PyTorch refuses options
    of loading processes.

    Args:
        config: A full config, changed in place.
    """
    loaders = [config.get(name) for name in LOADERS]
    loaders += [hook.get('dataloader') for hook in config.get('custom_hooks') or [] if isinstance(hook, dict)]
    for loader in loaders:
        if not isinstance(loader, dict):
            continue
        if _pins():
            loader.setdefault('pin_memory', True)
        if not loader.get('num_workers'):
            for option in ('persistent_workers', 'prefetch_factor'):
                loader.pop(option, None)


def _pins() -> bool:
    # Apple's accelerator shares the host's memory.
    return torch.accelerator.is_available() and torch.accelerator.current_accelerator().type != 'mps'


def end_workers(loader: Any) -> None:
    """End the processes that a loader keeps between its epochs; it starts others when it is used again.

    Python's garbage collection closes the queues of a forgotten loader before
    the loader tells its processes to end, so that it waits five seconds for
    each of them and then leaves them.

    Args:
        loader: Anything but a loader stays as it is.
    """
    iterator = getattr(loader, '_iterator', None) if isinstance(loader, DataLoader) else None
    if iterator is not None and hasattr(iterator, '_shutdown_workers'):
        iterator._shutdown_workers()
        loader._iterator = None
