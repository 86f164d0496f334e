"""Steps of a pipeline for single shapes."""
from .pack import M2AEPackShape
from .points import M2AENormalizeUnitSphere, M2AERandomScaleShift, M2AESamplePoints

__all__ = ['M2AENormalizeUnitSphere', 'M2AEPackShape', 'M2AERandomScaleShift', 'M2AESamplePoints']
