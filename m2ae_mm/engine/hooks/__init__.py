from .checkpoint_hook import M2AECheckpointHook
from .finite_predictions_hook import M2AEFinitePredictionsHook
from .gallery_hook import M2AEGalleryHook
from .graphs_hook import M2AEGraphsHook
from .keeping_hook import M2AEKeepingHook
from .linear_probe_hook import M2AELinearProbeHook
from .memory_hook import M2AEMemoryHook
from .picture_hook import M2AEPictureHook
from .resume_hook import M2AEResumeHook
from .runtime_info_hook import M2AERuntimeInfoHook
from .start_hook import M2AEStartHook

__all__ = [
    'M2AECheckpointHook', 'M2AEFinitePredictionsHook', 'M2AEGalleryHook', 'M2AEGraphsHook', 'M2AEKeepingHook',
    'M2AELinearProbeHook', 'M2AEMemoryHook', 'M2AEPictureHook', 'M2AEResumeHook', 'M2AERuntimeInfoHook',
    'M2AEStartHook'
]
