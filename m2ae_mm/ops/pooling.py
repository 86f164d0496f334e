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
    """
    return dispatch.max_over_members(values)[0]
