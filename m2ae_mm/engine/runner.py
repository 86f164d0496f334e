"""mmengine's runner, with less on the screen."""
import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

# How messages begin that are for looking up later: environment, config, hooks, options of each parameter, and warnings
# about mmengine's own calls.
_FOR_THE_FILE = ('Config:', 'Hooks will be executed', 'Distributed training is not used', 'paramwise_options',
                 '"FileClient" will be deprecated', '"HardDiskBackend" is the alias')
_ENVIRONMENT = 'System environment:'


class M2AERunner(Runner):
    """A runner whose log file has everything, and whose screen has what happens."""

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs) -> MMLogger:
        """As mmengine's, and says where the file is."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_for_the_screen)
        logger.info(f'environment, config and all else are logged in {self.log_dir}')
        return logger


def _for_the_screen(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not message.startswith(_FOR_THE_FILE) and _ENVIRONMENT not in message[:200]
