"""Search, fused layers and pooling on the GPU with Triton.

Functions of the same name have the arguments and results of
:mod:`m2ae_mm.ops.reference`; the others are layers with gradients of their
own. The kernels run under ``TRITON_INTERPRET=1`` on a CPU as well, slowly.
"""
from .attention import PackedAttention
from .ball import ball_query
from .batch_norm import BatchNormReLU
from .boxes import points_in_boxes
from .layer_norm import AddLayerNorm, LayerNorm
from .linear import Linear
from .neighbors import knn
from .pooling import max_over_members, max_over_members_backward
from .sampling import furthest_point_sample

__all__ = [
    'AddLayerNorm', 'BatchNormReLU', 'LayerNorm', 'Linear', 'PackedAttention', 'ball_query', 'furthest_point_sample',
    'knn', 'max_over_members', 'max_over_members_backward', 'points_in_boxes'
]
