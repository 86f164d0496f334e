"""Geometry as pure functions on tensors, for any device.

Every operator has a PyTorch reference; faster paths are chosen by device and
agree with it.
"""
from .ball import ball_query
from .box_points import count_in_grids, points_in_boxes
from .boxes import box_giou_3d, box_iou_3d, nms3d, rotated_iou_bev
from .dispatch import check_finite, cpu_kernels, gpu_kernels, reference_only, use_reference
from .distances import chamfer_distance, squared_distances
from .grouping import gather, interpolate, split_groups, weighted_sum
from .nearest import knn, three_nn
from .pooling import max_over_members
from .sampling import furthest_point_sample

__all__ = [
    'ball_query', 'box_giou_3d', 'box_iou_3d', 'chamfer_distance', 'check_finite', 'count_in_grids',
    'cpu_kernels', 'furthest_point_sample', 'gather', 'gpu_kernels', 'interpolate', 'knn', 'max_over_members', 'nms3d',
    'points_in_boxes', 'reference_only', 'rotated_iou_bev', 'split_groups', 'squared_distances', 'three_nn',
    'use_reference', 'weighted_sum'
]
