from .point_m2ae_encoder import PointM2AEEncoder
from .three_detr_encoder import ThreeDETREncoder

__all__ = ['PointM2AEEncoder', 'ThreeDETREncoder']
