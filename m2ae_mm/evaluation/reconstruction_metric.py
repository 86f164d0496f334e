"""How well masked parts of held-out clouds are reconstructed."""
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmdet3d.registry import METRICS

from .finite import require_finite
from .metric_names import MetricNames


@METRICS.register_module()
class M2AEReconstructionMetric(BaseMetric):
    """Mean of ``reconstruction_loss`` over clouds: the pre-training loss on data not trained on.

    Every cloud counts the same; in training every masked token does.
    """

    default_prefix = 'reconstruction'
    metric_names = MetricNames('chamfer', lower_is_better=('chamfer', ))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect one figure per cloud."""
        require_finite(data_samples)
        self.results += [sample['reconstruction_loss'] for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """``chamfer``: mean squared-L2 Chamfer distance, in the squared unit of the points."""
        return dict(chamfer=float(np.mean(results)))
