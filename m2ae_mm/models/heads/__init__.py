from .point_m2ae_pretrain_head import PointM2AEPretrainHead
from .three_detr_head import ThreeDETRHead

__all__ = ['PointM2AEPretrainHead', 'ThreeDETRHead']
