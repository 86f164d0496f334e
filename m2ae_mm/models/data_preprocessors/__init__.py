from .shape_preprocessor import (
    M2AEBatchRotate,
    M2AEBatchSample,
    M2AEBatchScaleShift,
    M2AEShapePreprocessor,
    stack_clouds,
)

__all__ = ['M2AEBatchRotate', 'M2AEBatchSample', 'M2AEBatchScaleShift', 'M2AEShapePreprocessor', 'stack_clouds']
