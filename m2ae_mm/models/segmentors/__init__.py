from .point_m2ae_segmentor import PointM2AESegmentor

__all__ = ['PointM2AESegmentor']
