"""mmengine's runner, with less on the screen and an orderly end."""
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn

from .loaders import end_workers

# How messages begin that are for looking up later: environment, config, hooks, options of each parameter, and warnings
# about mmengine's own calls.
_FOR_THE_FILE = ('Config:', 'Hooks will be executed', 'Distributed training is not used', 'paramwise_options',
                 '"FileClient" will be deprecated', '"HardDiskBackend" is the alias')
_ENVIRONMENT = 'System environment:'
_OF_THE_FROZEN = 'is skipped since its requires_grad=False'  # a line for every parameter


class M2AERunner(Runner):
    """A runner whose log file has everything, whose screen has what happens, and whose loaders end with its loops."""

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs) -> MMLogger:
        """As mmengine's, and says where the file is."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_for_the_screen)
        logger.info(f'environment, config and all else are logged in {self.log_dir}')
        return logger

    def train(self) -> nn.Module:
        """See mmengine."""
        with self._loading_ends():
            return super().train()

    def val(self) -> dict[str, Any]:
        """See mmengine."""
        with self._loading_ends():
            return super().val()

    def test(self) -> dict[str, Any]:
        """See mmengine."""
        with self._loading_ends():
            return super().test()

    @contextmanager
    def _loading_ends(self) -> Iterator[None]:
        try:
            yield
        finally:
            owners = [self._train_loop, self._val_loop, self._test_loop, *self.hooks]
            for owner in owners:
                end_workers(getattr(owner, 'dataloader', None))
                end_workers(getattr(owner, 'loader', None))


def _for_the_screen(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return (not message.startswith(_FOR_THE_FILE) and _ENVIRONMENT not in message[:200]
            and not message.endswith(_OF_THE_FROZEN))
