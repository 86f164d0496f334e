from .checkpoint_hook import M2AECheckpointHook
from .gallery_hook import M2AEGalleryHook
from .keeping_hook import M2AEKeepingHook
from .linear_probe_hook import M2AELinearProbeHook
from .picture_hook import M2AEPictureHook
from .resume_hook import M2AEResumeHook
from .start_hook import M2AEStartHook
from .step_hooks import M2AEFinitePredictionsHook, M2AEGraphsHook, M2AEMemoryHook, M2AERuntimeInfoHook

__all__ = [
    'M2AECheckpointHook', 'M2AEFinitePredictionsHook', 'M2AEGalleryHook', 'M2AEGraphsHook', 'M2AEKeepingHook',
    'M2AELinearProbeHook', 'M2AEMemoryHook', 'M2AEPictureHook', 'M2AEResumeHook', 'M2AERuntimeInfoHook',
    'M2AEStartHook'
]
