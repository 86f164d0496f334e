"""Users' own scans and labelled boxes, in the layout that :class:`M2AESceneDataset` loads."""
from .writer import Prepared, create_own_boxes

__all__ = ['Prepared', 'create_own_boxes']
