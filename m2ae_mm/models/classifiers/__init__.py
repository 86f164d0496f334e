from .point_m2ae_classifier import PointM2AEClassifier

__all__ = ['PointM2AEClassifier']
