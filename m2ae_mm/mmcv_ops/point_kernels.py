"""Point operators under the names and calls of ``mmcv._ext``.

mmcv allocates the outputs, the functions fill them in place. mmcv's layout is
kept: features ``(B, C, N)``, indices int32. Sizes that mmcv passes along
(``b=``, ``n=``, ...) are not needed, the tensors know them.
"""
import torch
from torch import Tensor

from .. import ops

__all__ = [
    'ball_query_forward', 'chamfer_distance_backward', 'chamfer_distance_forward', 'furthest_point_sampling_forward',
    'furthest_point_sampling_with_dist_forward', 'gather_points_backward', 'gather_points_forward',
    'group_points_backward', 'group_points_forward', 'knn_forward', 'three_interpolate_backward',
    'three_interpolate_forward', 'three_nn_forward'
]


def furthest_point_sampling_forward(points: Tensor, _nearest: Tensor, output: Tensor, **_sizes: int) -> None:
    """Fill ``output`` (B, M) from ``points`` (B, N, 3)."""
    output.copy_(ops.furthest_point_sample(points, output.shape[1]))


def furthest_point_sampling_with_dist_forward(distances: Tensor, nearest: Tensor, output: Tensor,
                                              **_sizes: int) -> None:
    """Fill ``output`` (B, M) from pairwise ``distances`` (B, N, N).

    ``nearest`` (B, N) comes filled with a large number and holds the distance
    to the nearest picked point.
    """
    rows = torch.arange(distances.shape[0], device=distances.device)
    last = output.new_zeros(output.shape[0], dtype=torch.long)
    for i in range(output.shape[1]):
        output[:, i] = last
        torch.minimum(nearest, distances[rows, last], out=nearest)
        last = nearest.argmax(1)


def ball_query_forward(centers: Tensor, points: Tensor, output: Tensor, min_radius: float, max_radius: float,
                       nsample: int, **_sizes: int) -> None:
    """Fill ``output`` (B, M, nsample)."""
    output.copy_(ops.ball_query(centers, points, max_radius, nsample, min_radius))


def knn_forward(points: Tensor, centers: Tensor, output: Tensor, squared: Tensor, nsample: int, **_sizes: int) -> None:
    """Fill ``output`` and ``squared``, both (B, M, nsample)."""
    indices = ops.knn(centers, points, nsample)
    output.copy_(indices)
    squared.copy_((centers.unsqueeze(2) - ops.gather(points, indices)).square().sum(-1))


def three_nn_forward(queries: Tensor, points: Tensor, squared: Tensor, output: Tensor, **_sizes: int) -> None:
    """Fill ``squared`` and ``output``, both (B, M, 3)."""
    found_squared, found = ops.three_nn(queries, points)
    squared.copy_(found_squared)
    output.copy_(found)


def gather_points_forward(features: Tensor, indices: Tensor, output: Tensor, **_sizes: int) -> None:
    """Fill ``output`` (B, C, M) from ``features`` (B, C, N) and ``indices`` (B, M)."""
    output.copy_(features.gather(2, _per_channel(indices, features.shape[1])))


def gather_points_backward(grad_output: Tensor, indices: Tensor, grad_features: Tensor, **_sizes: int) -> None:
    """Add (B, C, M) gradients to ``grad_features`` (B, C, N)."""
    grad_features.scatter_add_(2, _per_channel(indices, grad_output.shape[1]), grad_output)


def group_points_forward(features: Tensor, indices: Tensor, output: Tensor, **_sizes: int) -> None:
    """Fill ``output`` (B, C, M, k) from ``features`` (B, C, N) and ``indices`` (B, M, k)."""
    output.copy_(features.gather(2, _per_channel(indices, features.shape[1])).view_as(output))


def group_points_backward(grad_output: Tensor, indices: Tensor, grad_features: Tensor, **_sizes: int) -> None:
    """Add (B, C, M, k) gradients to ``grad_features`` (B, C, N)."""
    grad_features.scatter_add_(2, _per_channel(indices, grad_output.shape[1]), grad_output.flatten(2))


def three_interpolate_forward(features: Tensor, indices: Tensor, weights: Tensor, output: Tensor,
                              **_sizes: int) -> None:
    """Fill ``output`` (B, C, M) from ``features`` (B, C, N) and (B, M, 3) indices and weights."""
    batch, channels, _ = features.shape
    grouped = features.gather(2, _per_channel(indices, channels)).view(batch, channels, *indices.shape[1:])
    output.copy_((grouped * weights.unsqueeze(1)).sum(-1))


def three_interpolate_backward(grad_output: Tensor, indices: Tensor, weights: Tensor, grad_features: Tensor,
                               **_sizes: int) -> None:
    """Add (B, C, M) gradients to ``grad_features`` (B, C, N)."""
    spread = grad_output.unsqueeze(-1) * weights.unsqueeze(1)
    # Under autocast the features are in half precision, the weights, and with them the products, are not.
    grad_features.scatter_add_(2, _per_channel(indices, grad_output.shape[1]),
                               spread.flatten(2).to(grad_features.dtype))


def chamfer_distance_forward(first: Tensor, second: Tensor, first_squared: Tensor, second_squared: Tensor,
                             first_indices: Tensor, second_indices: Tensor) -> None:
    """Nearest neighbours both ways between (B, N, 2) and (B, M, 2)."""
    squared = (first.unsqueeze(2) - second.unsqueeze(1)).square().sum(-1)
    for axis, distances, indices in ((2, first_squared, first_indices), (1, second_squared, second_indices)):
        nearest = squared.min(axis)
        distances.copy_(nearest.values)
        indices.copy_(nearest.indices)


def chamfer_distance_backward(first: Tensor, second: Tensor, first_indices: Tensor, second_indices: Tensor,
                              grad_first_squared: Tensor, grad_second_squared: Tensor, grad_first: Tensor,
                              grad_second: Tensor) -> None:
    """Add the gradients of both directions to ``grad_first`` and ``grad_second``."""
    directions = ((first, second, first_indices, grad_first_squared, grad_first, grad_second),
                  (second, first, second_indices, grad_second_squared, grad_second, grad_first))
    for source, target, indices, grad_squared, grad_source, grad_target in directions:
        rows = indices.long().unsqueeze(-1).expand_as(source)
        step = 2 * grad_squared.unsqueeze(-1) * (source - target.gather(1, rows))
        grad_source += step
        grad_target.scatter_add_(1, rows, -step)


def _per_channel(indices: Tensor, channels: int) -> Tensor:
    """(B, ...) indices as (B, C, all of ...) int64, the form ``gather`` takes."""
    return indices.long().flatten(1).unsqueeze(1).expand(-1, channels, -1)
