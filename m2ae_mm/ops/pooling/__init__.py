"""Max-pool over the members of a group."""
import torch
from torch import Tensor

from ..dispatch import operator


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
    return _max_over_members(values)[0]


@operator('cpu', 'cuda')
def _max_over_members(values: Tensor) -> tuple[Tensor, Tensor]:
    """Also, int32, which members have the largest values."""
    largest, member = values.max(1)
    return largest, member.int()


@operator('cpu', 'cuda')
def _max_over_members_backward(gradient: Tensor, member: Tensor, k: int) -> Tensor:
    """``(T, k, C)``: the gradient ``(T, C)`` at the chosen members, 0 elsewhere."""
    result = gradient.new_zeros(gradient.shape[0], k, gradient.shape[1])
    return result.scatter_(1, member.long().unsqueeze(1), gradient.unsqueeze(1))


@_max_over_members.register_fake
def _(values: Tensor) -> tuple[Tensor, Tensor]:
    shape = values.shape[0], values.shape[2]
    return values.new_empty(shape), values.new_empty(shape, dtype=torch.int32)


@_max_over_members_backward.register_fake
def _(gradient: Tensor, _member: Tensor, k: int) -> Tensor:
    return gradient.new_empty((gradient.shape[0], k, gradient.shape[1]))


def _save(ctx, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(output[1])
    ctx.k = inputs[0].shape[1]


_max_over_members.register_autograd(
    lambda ctx, gradient, _: _max_over_members_backward(gradient, *ctx.saved_tensors, ctx.k), setup_context=_save)
