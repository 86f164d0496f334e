"""Geometry as pure functions on tensors, for any device.

Every operator has a PyTorch reference; faster paths are chosen by device and
agree with it.
"""
from .chamfer import chamfer_distance
from .grouping import gather, interpolate, weighted_sum
from .neighbors import ball_query, knn, squared_distances, three_nn
from .sampling import furthest_point_sample

__all__ = [
    'ball_query', 'chamfer_distance', 'furthest_point_sample', 'gather', 'interpolate', 'knn', 'squared_distances',
    'three_nn', 'weighted_sum'
]
