"""Chamfer distance."""
from torch import Tensor

from .checks import check_points
from .reference import squared_distances


def chamfer_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared-L2 Chamfer distance per pair of point sets.

    Mean over the points of each direction, the two directions summed (paper
    section 3.3; always in float32).

    Args:
        prediction: ``(T, P, 3)``.
        target: ``(T, Q, 3)``.

    Returns:
        ``(T,)`` distances with gradients to both.

    Raises:
        ValueError: If the shapes are others, or differ in T.
    """
    check_points(prediction, 'prediction')
    check_points(target, 'target')
    if len(prediction) != len(target):
        raise ValueError(f'prediction and target differ in the number of sets: {tuple(prediction.shape)} and '
                         f'{tuple(target.shape)}.')
    squared = squared_distances(prediction.float(), target.float())
    return squared.amin(2).mean(1) + squared.amin(1).mean(1)
