"""What every run does with its config before anything is built, and with its loaders at the end."""
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import Registry
from torch.utils.data import DataLoader

from m2ae_mm.errors import note

from .config_parts import LOADERS
from .data_check import check_data
from .distributed import prepare_processes
from .option_check import check_options
from .own_data import take_from_checkpoint, take_from_data


def prepare(config: Config, loaders: Sequence[str], checkpoint: str | Path | None = None) -> None:
    """Make a config whole, and fail with one message if it cannot be run.

    Options and values are checked; entries that it leaves to the data are
    filled in; the data are checked; loaders and processes are set up for this
    machine.

    Args:
        config: A full config, changed in place.
        loaders: Names of the data loaders about to be used: ``TRAINING`` or ``TESTING``.
        checkpoint: What is tested. It knows what it was trained with better than the data do.

    Raises:
        FileNotFoundError: See :func:`take_from_data` and :func:`check_data`.
        UserError: See there and :func:`check_options`.
    """
    check_options(config, loaders)
    if checkpoint is None or not take_from_checkpoint(config, checkpoint):
        take_from_data(config, ('train_dataloader', *loaders))
    check_data(config, loaders)
    prepare_loaders(config)
    prepare_processes(config)


def prepare_loaders(config: Config) -> None:
    """Set loaders of a config to page-locked memory with an accelerator; drop options of processes without processes.

    A thread of each loader copies batches to page-locked memory while the
    training waits for the device, and their transfer is faster; what the
    config says about it stays. With ``num_workers=0`` PyTorch refuses options
    of loading processes.
    """
    # Apple's accelerator shares the host's memory.
    pin = torch.accelerator.is_available() and torch.accelerator.current_accelerator().type != 'mps'
    loaders = [config.get(name) for name in LOADERS]
    loaders += [hook.get('dataloader') for hook in config.get('custom_hooks') or [] if isinstance(hook, dict)]
    for loader in loaders:
        if not isinstance(loader, dict):
            continue
        if pin:
            loader.setdefault('pin_memory', True)
        if not loader.get('num_workers'):
            for option in ('persistent_workers', 'prefetch_factor'):
                loader.pop(option, None)


def end_workers(loader: Any) -> None:
    """End the processes that a loader keeps between its epochs; it starts others when it is used again.

    Python's garbage collection closes the queues of a forgotten loader before
    the loader tells its processes to end, so that it waits five seconds for
    each of them and then leaves them.
    """
    iterator = getattr(loader, '_iterator', None) if isinstance(loader, DataLoader) else None
    if iterator is not None and hasattr(iterator, '_shutdown_workers'):
        iterator._shutdown_workers()
        loader._iterator = None


def name_what_is_built() -> None:
    """Have every registry of this process note what it was building when an error came up. For our tools."""
    build = Registry.build
    if hasattr(build, '__wrapped__'):
        return

    @functools.wraps(build)
    def noted(registry: Registry, cfg, *args, **kwargs):
        try:
            return build(registry, cfg, *args, **kwargs)
        except Exception as error:
            note(error, 'building', dict(cfg) if isinstance(cfg, dict) else cfg)  # the innermost stays
            raise

    Registry.build = noted
