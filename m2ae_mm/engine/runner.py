"""mmengine's runner, with less on the screen and an orderly end, and its loop over epochs."""
import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim.scheduler.param_scheduler import ConstantParamScheduler, LinearParamScheduler
from mmengine.registry import RUNNERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from .config_parts import LOADERS, TESTING, TRAINING
from .data_check import check_data
from .option_check import check_options
from .own_data import take_from_data
from .preparation import end_workers, prepare_loaders

# How messages begin that are for looking up later: environment, config, hooks, options of each parameter, and warnings
# about mmengine's own calls.
_FOR_THE_FILE = ('Config:', 'Hooks will be executed', 'Distributed training is not used', 'paramwise_options',
                 '"FileClient" will be deprecated', '"HardDiskBackend" is the alias')
_ENVIRONMENT = 'System environment:'
_OF_THE_FROZEN = 'is skipped since its requires_grad=False'  # a line for every parameter


@RUNNERS.register_module()
class M2AERunner(Runner):
    """A runner whose log file has everything, whose screen has what happens, and whose loaders end with its loops.

    Our configs name it as their ``runner_type``, so that mmdet3d's own tools
    make the checks of ours. A hook could not: the first time that one is
    called, the data sets have been read.

    Attributes:
        prepared: Whether :func:`prepare` has made the checks before the runner was built.
    """

    prepared = False

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'M2AERunner':
        """See mmengine; fills in what the config leaves to data and machine."""
        cfg = copy.deepcopy(cfg)
        take_from_data(cfg, LOADERS)
        prepare_loaders(cfg)
        return super().from_cfg(cfg)

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs) -> MMLogger:
        """As mmengine's, and says where the file is."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_for_the_screen)
        logger.info(f'environment, config and all else are logged in {self.log_dir}')
        return logger

    def _build_param_scheduler(self, scheduler, optim_wrapper) -> list:
        """As mmengine's; a schedule that goes from one factor to another has at least two steps, one for each.

        mmengine's would keep the first factor for ever where there is one step: in a warm-up of one epoch, or of an
        epoch of one batch that goes by iterations.
        """
        schedulers = super()._build_param_scheduler(scheduler, optim_wrapper)
        for each in schedulers:
            if isinstance(each, (LinearParamScheduler, ConstantParamScheduler)) and each.total_iters < 1:
                each.end += 1
                each.total_iters += 1
        return schedulers

    def train(self) -> nn.Module:
        """See mmengine."""
        with self._checked(TRAINING):
            return super().train()

    def val(self) -> dict[str, Any]:
        """See mmengine."""
        with self._checked(TRAINING[1:]):
            return super().val()

    def test(self) -> dict[str, Any]:
        """See mmengine."""
        with self._checked(TESTING):
            return super().test()

    @contextmanager
    def _checked(self, loaders: Sequence[str]) -> Iterator[None]:
        """Look at these before they are built, and end them."""
        if self.cfg and not self.prepared:
            check_options(self.cfg, loaders)
            check_data(self.cfg, loaders)
        try:
            yield
        finally:
            owners = [self._train_loop, self._val_loop, self._test_loop, *self.hooks]
            for owner in owners:
                end_workers(getattr(owner, 'dataloader', None))
                end_workers(getattr(owner, 'loader', None))


class M2AEEpochTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop, which can begin in the middle of an epoch.

    Attributes:
        done: Batches of the first epoch that were trained before, whose samples the sampler leaves out.
    """

    done = 0

    def run_epoch(self) -> None:
        """Iterate the epoch, or the rest of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self.dataloader, self.done):
            self.run_iter(idx, data_batch)
        self.done = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


def _for_the_screen(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return (not message.startswith(_FOR_THE_FILE) and _ENVIRONMENT not in message[:200]
            and not message.endswith(_OF_THE_FROZEN))
