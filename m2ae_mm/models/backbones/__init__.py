from .point_m2ae_encoder import PointM2AEEncoder

__all__ = ['PointM2AEEncoder']
