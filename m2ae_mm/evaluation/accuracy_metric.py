"""Classification accuracy."""
from collections.abc import Sequence

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
