"""The linear probe during pre-training."""
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdet3d.registry import HOOKS


@HOOKS.register_module()
class M2AELinearProbeHook(Hook):
    """Fits a linear SVM on frozen features every few epochs and after the last.

    The figure goes to the log and the visualiser as ``linear_probe/accuracy``.
    Every process extracts its share of the features.

    Args:
        dataloader: Config of a loader over a labelled data set with both
            splits (``split=['train', 'test']``).
        metric: Config of the metric.
        interval: Epochs between two probes.
        before_training: Probe the encoder as initialised, too.
    """

    priority = 'LOW'

    def __init__(self,
                 dataloader: dict,
                 metric: dict | None = None,
                 interval: int = 10,
                 before_training: bool = False) -> None:
        self.dataloader = dataloader
        self.metric = metric or dict(type='M2AELinearProbeMetric')
        self.interval = interval
        self.before_training = before_training

    def before_train(self, runner: Runner) -> None:
        """Build the loader, so that missing data stop the run now and not after ten epochs."""
        self.loader = runner.build_dataloader(self.dataloader, seed=runner.seed)
        if self.before_training and runner.epoch == 0:
            self.probe(runner, 0)

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe if it is time."""
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self.probe(runner, runner.epoch + 1)

    @torch.no_grad()
    def probe(self, runner: Runner, epoch: int) -> dict[str, float]:
        """Extract features in evaluation mode, fit and log; the model continues training afterwards."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        evaluator = Evaluator(self.metric)
        training = model.training
        model.eval()
        for data in self.loader:
            data = model.data_preprocessor(data, False)
            features = model(**data, mode='tensor').cpu()  # all at once, not sample by sample
            for sample, feature in zip(data['data_samples'], features):
                sample.feature = feature
            evaluator.process(data_samples=data['data_samples'], data_batch=data)
        model.train(training)
        scores = evaluator.evaluate(len(self.loader.dataset))
        for name, value in scores.items():
            # Not under val/: every later validation would log the last value again as its own.
            runner.message_hub.update_scalar(name, value)
        runner.visualizer.add_scalars(scores, step=epoch)
        runner.logger.info(f'epoch {epoch}: ' + ', '.join(f'{name} {value:.4g}' for name, value in scores.items()))
        return scores
