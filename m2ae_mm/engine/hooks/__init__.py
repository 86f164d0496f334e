from .linear_probe_hook import M2AELinearProbeHook
from .picture_hook import M2AEPictureHook

__all__ = ['M2AELinearProbeHook', 'M2AEPictureHook']
