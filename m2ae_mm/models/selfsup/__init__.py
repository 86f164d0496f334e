from .point_m2ae import PointM2AE
from .point_m2ae_probe import PointM2AEProbe

__all__ = ['PointM2AE', 'PointM2AEProbe']
