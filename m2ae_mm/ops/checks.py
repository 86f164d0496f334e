"""Input checks shared by the operators."""
from torch import Tensor


def check_points(points: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless ``points`` is ``(B, N, 3)`` with N >= 1."""
    if points.dim() != 3 or points.shape[-1] != 3:
        raise ValueError(f'{name} must have shape (B, N, 3), got {tuple(points.shape)}.')
    if points.shape[1] == 0:
        raise ValueError(f'{name} holds no point: shape {tuple(points.shape)}.')
