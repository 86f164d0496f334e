"""Metrics."""
from .accuracy_metric import M2AEAccuracy, summarize_folds
from .indoor_metric import M2AEIndoorMetric
from .linear_probe_metric import M2AELinearProbeMetric
from .metric_names import MetricNames, names_of
from .part_iou_metric import M2AEPartIoU
from .reconstruction_metric import M2AEReconstructionMetric
from .seg_metric import M2AESegMetric

__all__ = [
    'M2AEAccuracy', 'M2AEIndoorMetric', 'M2AELinearProbeMetric', 'M2AEPartIoU', 'M2AEReconstructionMetric',
    'M2AESegMetric', 'MetricNames', 'names_of', 'summarize_folds'
]
