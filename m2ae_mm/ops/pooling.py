"""Max-pool over the members of a group."""
from torch import Tensor

from . import dispatch


def max_over_members(values: Tensor) -> Tensor:
    """Largest value of every channel over the members of a group.

    The gradient goes to one member, the first of equals, where ``amax``
    divides it among equals with several passes over the input.

    Args:
        values: ``(T, k, C)``: T groups of k members.

    Returns:
        ``(T, C)``; gradients flow to ``values``.

    Raises:
        ValueError: If ``values`` has another shape or groups have no member.
    """
    if values.dim() != 3 or values.shape[1] == 0:
        raise ValueError(f'values must have shape (T, k, C) with k >= 1, got {tuple(values.shape)}.')
    return dispatch.max_over_members(values)[0]
