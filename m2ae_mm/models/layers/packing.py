"""Packing visible tokens to the front, without a loop over the batch."""
from typing import NamedTuple

import torch
from torch import Tensor

from m2ae_mm.ops import gather


class Packing(NamedTuple):
    """Where the visible tokens of every cloud are.

    Attributes:
        order: ``(B, L)`` int64, positions of the visible tokens in their
            original order, then positions of hidden ones as filler; L is the
            largest visible count in the batch.
        padded: ``(B, L)`` bool, ``True`` = filler, takes no part.
    """
    order: Tensor
    padded: Tensor


def pack_visible(masked: Tensor) -> Packing:
    """Find the visible tokens of every cloud.

    Args:
        masked: ``(B, M)`` bool, ``True`` = masked. Every cloud needs at least
            one visible token.

    Returns:
        The packing; its length is read back from the device once.
    """
    counts = (~masked).sum(1)
    length = int(counts.max())
    order = masked.to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
    padded = torch.arange(length, device=masked.device) >= counts.unsqueeze(1)
    return Packing(order, padded)


def pack(tokens: Tensor, packing: Packing) -> Tensor:
    """``(B, M, C)`` to ``(B, L, C)``; filler holds whatever its slot holds."""
    return gather(tokens, packing.order)


def unpack(tokens: Tensor, packing: Packing, count: int) -> Tensor:
    """``(B, L, C)`` back to ``(B, count, C)``, zeros at masked positions."""
    batch, _, channels = tokens.shape
    result = tokens.new_zeros(batch, count, channels)
    visible = tokens.masked_fill(packing.padded.unsqueeze(-1), 0)
    return result.scatter(1, packing.order.unsqueeze(-1).expand(-1, -1, channels), visible)
