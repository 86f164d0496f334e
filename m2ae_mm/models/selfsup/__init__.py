from .point_m2ae import PointM2AE

__all__ = ['PointM2AE']
