"""Search, fused layers and pooling on the GPU with Triton.

Functions of the same name have the arguments and results of
:mod:`m2ae_mm.ops.reference`; the others are layers with gradients of their
own. The kernels run under ``TRITON_INTERPRET=1`` on a CPU as well, slowly.
"""
from ..reference import count_in_grids
from .attention import PackedAttention
from .ball import ball_query
from .batch_norm import BatchNormReLU
from .boxes import points_in_boxes
from .distance_mask import far_pairs
from .gelu import BiasGelu
from .layer_norm import AddLayerNorm
from .linear import Linear, half_copies
from .near_marks import near_marks
from .neighbors import knn
from .pooling import max_over_members, max_over_members_backward
from .sampling import furthest_point_sample

__all__ = [
    'AddLayerNorm', 'BatchNormReLU', 'BiasGelu', 'Linear', 'PackedAttention', 'ball_query', 'count_in_grids',
    'far_pairs', 'furthest_point_sample', 'half_copies', 'knn', 'max_over_members', 'max_over_members_backward',
    'near_marks', 'points_in_boxes'
]
