"""Steps of a pipeline for shapes and scenes."""
from .map_labels import M2AEMapLabels
from .normals import M2AENormals
from .points import M2AENormalizeUnitSphere, M2AEPackShape, M2AESamplePoints, m2ae_collate
from .scene_frame import M2AESceneFrame
from .scene_steps import M2AEAxisAlignedBoxes, M2AECenterScene, M2AERandomShift, ThreeDETRRandomCuboid

__all__ = [
    'M2AEAxisAlignedBoxes', 'M2AECenterScene', 'M2AEMapLabels', 'M2AENormalizeUnitSphere', 'M2AENormals',
    'M2AEPackShape', 'M2AERandomShift', 'M2AESamplePoints', 'M2AESceneFrame', 'ThreeDETRRandomCuboid', 'm2ae_collate'
]
