from .point_m2ae_pretrain_head import PointM2AEPretrainHead

__all__ = ['PointM2AEPretrainHead']
