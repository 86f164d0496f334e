from .batch_transforms import M2AEBatchRotate, M2AEBatchSample, M2AEBatchScaleShift
from .shape_preprocessor import M2AEShapePreprocessor

__all__ = ['M2AEBatchRotate', 'M2AEBatchSample', 'M2AEBatchScaleShift', 'M2AEShapePreprocessor']
