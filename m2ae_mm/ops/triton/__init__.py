"""Search on the GPU with Triton.

Same functions, arguments and results as :mod:`m2ae_mm.ops.reference`. The
kernels run under ``TRITON_INTERPRET=1`` on a CPU as well, slowly.
"""
from .ball import ball_query
from .boxes import points_in_boxes
from .neighbors import knn
from .sampling import furthest_point_sample

__all__ = ['ball_query', 'furthest_point_sample', 'knn', 'points_in_boxes']
