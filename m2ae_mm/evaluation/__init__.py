"""Metrics."""
from .reconstruction_metric import M2AEReconstructionMetric

__all__ = ['M2AEReconstructionMetric']
