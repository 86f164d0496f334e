"""ScanNetV2 from its raw release to the layout that mmdet3d's ``ScanNetDataset`` loads."""
from .scene import Scene, read_scene
from .writer import create_scannet

__all__ = ['Scene', 'create_scannet', 'read_scene']
