"""Packing visible tokens, without a loop over the batch: cloud by cloud to the front, or all into one sequence."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from m2ae_mm.ops import gather


class Packing(NamedTuple):
    """Where the visible tokens of every cloud are.

    Attributes:
        order: ``(B, L)`` int64, positions of the visible tokens in their
            original order, then positions of hidden ones as filler; L is the
            largest visible count in the batch, on a GPU rounded up.
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
    length = _round_length(int(counts.max()), masked.shape[1], masked.device.type)
    order = masked.to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
    padded = torch.arange(length, device=masked.device) >= counts.unsqueeze(1)
    return Packing(order, padded)


def _round_length(length: int, most: int, device_type: str) -> int:
    # On a GPU some attention kernels are planned anew for every length, which takes longer than a whole step.
    return length if device_type == 'cpu' else min(-(-length // 32) * 32, most)


def pack(tokens: Tensor, packing: Packing) -> Tensor:
    """``(B, M, C)`` to ``(B, L, C)``; filler holds whatever its slot holds."""
    return gather(tokens, packing.order)


def unpack(tokens: Tensor, packing: Packing, count: int) -> Tensor:
    """``(B, L, C)`` back to ``(B, count, C)``, zeros at masked positions."""
    batch, _, channels = tokens.shape
    result = tokens.new_zeros(batch, count, channels)
    visible = tokens.masked_fill(packing.padded.unsqueeze(-1), 0)
    return result.scatter(1, packing.order.unsqueeze(-1).expand(-1, -1, channels), visible)


class Rows(NamedTuple):
    """Visible tokens of all clouds one after the other, then padding up to a number known beforehand.

    M centres a cloud, R rows. No shape depends on the mask, so that the same
    work serves every batch (CUDA graphs), and no cloud is padded to another.

    Attributes:
        index: ``(R,)`` int64 centre of each row among the ``B * M`` of the
            batch; some centre for padding. None if every centre is its own row.
        place: ``(B * M,)`` int64 row of each centre, R where masked; None if
            every centre is its own row.
        cloud: ``(R,)`` int64 cloud of each row; some cloud for padding.
        starts: ``(B,)`` int64 first row of each cloud.
        counts: ``(B,)`` int64 rows of each cloud.
        total: ``(1,)`` int64 rows that are no padding.
    """
    index: Tensor | None
    place: Tensor | None
    cloud: Tensor
    starts: Tensor
    counts: Tensor
    total: Tensor

    @classmethod
    def of(cls, masked: Tensor, size: int) -> 'Rows':
        """Rows of the visible centres.

        Args:
            masked: ``(B, M)`` bool, ``True`` = masked.
            size: R, at least the number of visible centres.
        """
        batch, count = masked.shape
        visible = ~masked.flatten()
        order = visible.cumsum(0)
        place = torch.where(visible, order - 1, size)
        centers = torch.arange(batch * count, device=masked.device)
        index = torch.zeros(size + 1, dtype=torch.long, device=masked.device).scatter_(0, place, centers)[:size]
        counts = visible.view(batch, count).sum(1)
        return cls(index, place, index // count, counts.cumsum(0) - counts, counts, order[-1:])

    @classmethod
    def of_all(cls, batch: int, count: int, device: torch.device) -> 'Rows':
        """Rows of ``batch`` clouds that show all their ``count`` centres."""
        cloud = torch.arange(batch, device=device).unsqueeze(1).expand(batch, count).flatten()
        starts = torch.arange(0, batch * count, count, device=device)
        return cls(None, None, cloud, starts, torch.full_like(starts, count),
                   torch.full((1, ), batch * count, device=device))

    def take(self, values: Tensor) -> Tensor:
        """``(B, M, ...)`` of the centres to ``(R, ...)`` of the rows."""
        values = values.flatten(0, 1)
        return values if self.index is None else values.index_select(0, self.index)

    def spread(self, tokens: Tensor, batch: int) -> Tensor:
        """``(R, C)`` rows to ``(B, M, C)`` centres, zeros at masked ones."""
        if self.place is None:
            return tokens.view(batch, -1, tokens.shape[1])
        spare = len(self.place)
        target = torch.where(torch.arange(len(tokens), device=tokens.device) < self.total, self.index, spare)
        spread = tokens.new_zeros(spare + 1, tokens.shape[1]).index_copy(0, target, tokens)
        return spread[:spare].view(batch, -1, tokens.shape[1])

    @staticmethod
    def with_spare(tokens: Tensor) -> Tensor:
        """``(R + 1, C)``: the last row, of zeros, stands for what is masked."""
        return torch.cat([tokens, tokens.new_zeros(1, tokens.shape[1])])


class RowSizes:
    """Numbers of rows that hardly any batch exceeds, so that one CUDA graph serves nearly all.

    Attributes:
        grown: Whether the last batch needed more than those before it.
    """
    # Visible centres of a batch vary by some per mille; a multiple keeps kernels on their fast paths.
    _MARGIN, _MULTIPLE = 0.03, 256

    def __init__(self) -> None:
        self._sizes: dict[tuple[int, ...], list[int]] = {}
        self.grown = False

    def fit(self, masked: Sequence[Tensor]) -> list[int]:
        """Rows for the visible centres of every scale, whose numbers are read back from the device once.

        Args:
            masked: ``(B, M_i)`` bool per scale, ``True`` = masked.
        """
        most = tuple(mask.numel() for mask in masked)
        totals = torch.stack([(~mask).sum() for mask in masked]).tolist()
        sizes = self._sizes.get(most, [0] * len(most))
        self.grown = any(total > size for total, size in zip(totals, sizes))
        if self.grown:
            wanted = (math.ceil(total * (1 + self._MARGIN) / self._MULTIPLE) * self._MULTIPLE for total in totals)
            sizes = [min(max(size, rows), limit) for size, rows, limit in zip(sizes, wanted, most)]
            self._sizes[most] = sizes
        return sizes
