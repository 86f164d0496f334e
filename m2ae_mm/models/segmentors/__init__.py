from .point_m2ae_segmentor import PointM2AESegmentor
from .scene_segmentor import M2AESceneSegmentor

__all__ = ['M2AESceneSegmentor', 'PointM2AESegmentor']
