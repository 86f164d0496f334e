"""What every run does with its config before anything is built."""
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from .data_check import check_data
from .distributed import prepare_processes
from .loaders import prepare_loaders
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
