"""Results for your own scans and shapes, from Python: one inferencer a task, called as those of mmengine are."""
from .base import M2AEInferencer, left_out_text
from .features import M2AEEmbedInferencer, M2AEReconstructInferencer
from .opening import config_named, description
from .scene_classes import M2AESceneSegInferencer
from .scenes import M2AEDetInferencer
from .shapes import M2AEClassifyInferencer, M2AESegmentInferencer

INFERENCERS = (M2AEDetInferencer, M2AEClassifyInferencer, M2AESegmentInferencer,
               M2AESceneSegInferencer, M2AEEmbedInferencer, M2AEReconstructInferencer)

__all__ = [
    'INFERENCERS', 'M2AEClassifyInferencer', 'M2AEDetInferencer', 'M2AEEmbedInferencer', 'M2AEInferencer',
    'M2AEReconstructInferencer', 'M2AESceneSegInferencer', 'M2AESegmentInferencer', 'config_named', 'description',
    'left_out_text'
]
