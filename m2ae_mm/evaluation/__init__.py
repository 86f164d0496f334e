"""Metrics."""
from .indoor_metric import M2AEIndoorMetric
from .reconstruction_metric import M2AEReconstructionMetric

__all__ = ['M2AEIndoorMetric', 'M2AEReconstructionMetric']
