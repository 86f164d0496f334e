"""Classification accuracy, also over the folds of few-shot classification."""
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from m2ae_mm.samples import sample_label
from mmdet3d.registry import METRICS

from .finite import require_finite
from .metric_names import MetricNames


@METRICS.register_module()
class M2AEAccuracy(BaseMetric):
    """Accuracy in percent: ``overall``, ``class_mean``, and ``voted`` apart where the model voted."""

    default_prefix = 'accuracy'
    metric_names = MetricNames('overall', ('class_mean', 'voted'))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect true, predicted and voted label (-1 without votes) of each sample.

        Raises:
            ValueError: For a sample without a label.
        """
        require_finite(data_samples)
        for sample in data_samples:
            self.results.append((sample_label(sample), int(sample['pred_label']), int(sample.get('vote_label', -1))))

    def compute_metrics(self, results: list[tuple[int, int, int]]) -> dict[str, float]:
        """Accuracies in percent; the class mean is over the classes that occur."""
        truth, predicted, voted = np.array(results).T
        right = predicted == truth
        metrics = dict(
            overall=100 * float(right.mean()),
            class_mean=100 * float(np.mean([right[truth == label].mean() for label in np.unique(truth)])))
        if (voted >= 0).all():
            metrics['voted'] = 100 * float((voted == truth).mean())
        return metrics


def summarize_folds(accuracies: Mapping[int, float]) -> dict[str, float]:
    """Mean and standard deviation of accuracies by fold, in the unit given.

    The deviation is that of the folds themselves (divisor n), as the field
    reports it.

    Raises:
        ValueError: If there is no fold.
    """
    if not accuracies:
        raise ValueError('no fold has finished, so there is nothing to average.')
    values = np.array(list(accuracies.values()), float)
    return dict(mean=float(values.mean()), std=float(values.std()), folds=len(values))
