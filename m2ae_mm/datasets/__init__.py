"""Data sets of single shapes."""
from .shapenet55 import M2AEShapeNet55
from .transforms import M2AENormalizeUnitSphere, M2AEPackShape, M2AERandomScaleShift, M2AESamplePoints

__all__ = ['M2AENormalizeUnitSphere', 'M2AEPackShape', 'M2AERandomScaleShift', 'M2AESamplePoints', 'M2AEShapeNet55']
