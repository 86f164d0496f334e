from .point_m2ae_decoder import PointM2AEDecoder
from .point_m2ae_propagation import PointM2AEPropagation

__all__ = ['PointM2AEDecoder', 'PointM2AEPropagation']
