from .point_m2ae_class_token import PointM2AEClassTokenEncoder
from .point_m2ae_encoder import PointM2AEEncoder
from .three_detr_encoder import ThreeDETREncoder

__all__ = ['PointM2AEClassTokenEncoder', 'PointM2AEEncoder', 'ThreeDETREncoder']
