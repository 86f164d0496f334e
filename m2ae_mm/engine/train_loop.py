"""The loop over epochs."""
from mmengine.runner import EpochBasedTrainLoop


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
