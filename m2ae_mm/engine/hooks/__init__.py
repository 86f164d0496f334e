from .picture_hook import M2AEPictureHook

__all__ = ['M2AEPictureHook']
