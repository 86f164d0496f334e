"""Scans and boxes that somebody has labelled, in the layout that :class:`M2AESceneDataset` loads."""
from .writer import Prepared, create_own_boxes

__all__ = ['Prepared', 'create_own_boxes']
