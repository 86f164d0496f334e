"""Data sets of single shapes and of scenes."""
from .fewshot import M2AEFewShot
from .folder import M2AEFolder
from .modelnet40 import M2AEModelNet40, M2AEModelNet40H5
from .npz_shapes import M2AEFreeShapes, M2AEPartsNpz, M2AEShapesNpz
from .scanobjectnn import M2AEScanObjectNN
from .scene_segmentation import M2AESceneSegDataset
from .scenes import M2AESceneDataset
from .shapenet55 import M2AEShapeNet55
from .shapenetpart import M2AEShapeNetPart
from .transforms import M2AENormalizeUnitSphere, M2AEPackShape, M2AESamplePoints, m2ae_collate

__all__ = [
    'M2AEFewShot', 'M2AEFolder', 'M2AEFreeShapes', 'M2AEModelNet40', 'M2AEModelNet40H5', 'M2AENormalizeUnitSphere',
    'M2AEPackShape', 'M2AEPartsNpz', 'M2AESamplePoints', 'M2AEScanObjectNN', 'M2AESceneDataset',
    'M2AESceneSegDataset', 'M2AEShapeNet55', 'M2AEShapeNetPart', 'M2AEShapesNpz', 'm2ae_collate'
]
