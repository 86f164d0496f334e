"""Rooms composed from furniture and scanned by a simulated depth camera, in ScanNet's layout.

Imports NumPy, SciPy and Numba only.
"""
from .furniture import CLASSES, load_furniture
from .scan import PROFILES
from .scene import Scene, compose_scene
from .writer import create_rooms

__all__ = ['CLASSES', 'PROFILES', 'Scene', 'compose_scene', 'create_rooms', 'load_furniture']
