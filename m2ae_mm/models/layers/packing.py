"""Tokens of clouds that show different numbers of them: all in one sequence of rows."""
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# On a GPU kernels are on their fast paths, and are not planned anew for every batch, at multiples of these.
ROWS_MULTIPLE, _LONGEST_MULTIPLE = 256, 32

_fixed: list[tuple[Tensor, int]] = []  # masks and their numbers of rows


@dataclass(frozen=True)
class Rows:
    """Visible tokens of all clouds one after the other, perhaps followed by padding.

    M centres a cloud, R rows.

    Attributes:
        index: ``(R,)`` int64 centre of each row among the ``B * M`` of the
            batch; some centre for padding. None if every centre is its own row.
        place: ``(B * M,)`` int64 row of each centre, R where masked; None if
            every centre is its own row.
        cloud: ``(R,)`` int64 cloud of each row; some cloud for padding.
        starts: ``(B,)`` int64 first row of each cloud.
        counts: ``(B,)`` int64 rows of each cloud.
        longest: At least the largest of ``counts``.
        total: ``(1,)`` int64 rows that are no padding; None if all are.
        lengths: ``counts`` as numbers where the host knows them and they differ, without padding; else None.
    """
    index: Tensor | None
    place: Tensor | None
    cloud: Tensor
    starts: Tensor
    counts: Tensor
    longest: int
    total: Tensor | None = None
    lengths: list[int] | None = None

    @classmethod
    def of(cls, masked: Tensor) -> 'Rows':
        """Rows of the visible centres, of a mask ``(B, M)`` (True = masked).

        Their number is read back from the device, unless :func:`fixed_rows`
        says it: then no shape depends on the mask.
        """
        batch, count = masked.shape
        visible = ~masked.flatten()
        counts = visible.view(batch, count).sum(1)
        size, longest = next((size for mask, size in _fixed if mask is masked), None), count
        exact, lengths = size is None and masked.device.type == 'cpu', None
        if size is None:
            lengths = counts.tolist()
            size, longest = sum(lengths), max(lengths)
            if not exact:
                size, longest = (min(round_up(size, ROWS_MULTIPLE), masked.numel()),
                                 min(round_up(longest, _LONGEST_MULTIPLE), count))
        order = visible.cumsum(0)
        place = torch.where(visible, order - 1, size)
        centers = torch.arange(batch * count, device=masked.device)
        index = torch.zeros(size + 1, dtype=torch.long, device=masked.device).scatter_(0, place, centers)[:size]
        return cls(index, place, index // count, counts.cumsum(0) - counts, counts, longest,
                   *(None, lengths) if exact else (order[-1:], None))

    @classmethod
    def of_all(cls, batch: int, count: int, device: torch.device) -> 'Rows':
        """Rows of ``batch`` clouds that show all their ``count`` centres."""
        cloud = torch.arange(batch, device=device).unsqueeze(1).expand(batch, count).flatten()
        starts = torch.arange(0, batch * count, count, device=device)
        return cls(None, None, cloud, starts, torch.full_like(starts, count), count)

    def take(self, values: Tensor) -> Tensor:
        """``(B, M, ...)`` of the centres to ``(R, ...)`` of the rows."""
        values = values.flatten(0, 1)
        return values if self.index is None else values.index_select(0, self.index)

    def spread(self, tokens: Tensor) -> Tensor:
        """``(R, C)`` rows to ``(B, M, C)`` centres, zeros at masked ones."""
        batch = len(self.starts)
        if self.place is None:
            return tokens.view(batch, -1, tokens.shape[1])
        spare, target = len(self.place), self.index
        if self.total is not None:
            target = torch.where(torch.arange(len(tokens), device=tokens.device) < self.total, target, spare)
        spread = tokens.new_zeros(spare + 1, tokens.shape[1]).index_copy(0, target, tokens)
        return spread[:spare].view(batch, -1, tokens.shape[1])

    def members(self, tokens: Tensor, members: Tensor) -> Tensor:
        """``(T, k, C)`` tokens of groups, zeros where a member is masked.

        Args:
            tokens: ``(R, C)``.
            members: ``(T, k)`` int64 positions among the ``B * M`` centres.
        """
        if self.place is not None:
            # The last row, of zeros, stands for what is masked.
            tokens = torch.cat([tokens, tokens.new_zeros(1, tokens.shape[1])])
            members = self.place[members]
        return tokens.index_select(0, members.flatten()).view(*members.shape, -1)

    def to_clouds(self, values: Tensor) -> Tensor:
        """``(R, ...)`` to ``(B, L, ...)`` with the longest cloud's L; zeros behind the rows of the others."""
        if self.place is None:
            return values.unflatten(0, (len(self.starts), self.longest))
        return _ToClouds.apply(values, self)

    def of_clouds(self, values: Tensor) -> Tensor:
        """``(B, L, ...)`` back to ``(R, ...)``."""
        if self.place is None:
            return values.flatten(0, 1)
        return _OfClouds.apply(values, self)

    @property
    def padded(self) -> Tensor | None:
        """``(B, L)`` bool, ``True`` behind the rows of a cloud; None if all clouds have the same number."""
        if self.place is None:
            return None
        return torch.arange(self.longest, device=self.counts.device) >= self.counts.unsqueeze(1)

    @property
    def _row_of_slot(self) -> Tensor:
        slots = self.starts.unsqueeze(1) + torch.arange(self.longest, device=self.starts.device)
        return slots.clamp(max=len(self.cloud) - 1).flatten()

    @property
    def _slot_of_row(self) -> Tensor:
        place = torch.arange(len(self.cloud), device=self.cloud.device) - self.starts[self.cloud]
        return self.cloud * self.longest + place.clamp(max=self.longest - 1)

    def _fill_slots(self, values: Tensor) -> Tensor:
        slots = values.index_select(0, self._row_of_slot).unflatten(0, self.padded.shape)
        return slots.masked_fill_(self.padded.view(*self.padded.shape, *[1] * (values.dim() - 1)), 0)

    def _pick_slots(self, values: Tensor) -> Tensor:
        rows = values.flatten(0, 1).index_select(0, self._slot_of_row)
        if self.total is None:
            return rows
        padding = torch.arange(len(rows), device=rows.device) >= self.total
        return rows.masked_fill_(padding.view(-1, *[1] * (rows.dim() - 1)), 0)


class _ToClouds(torch.autograd.Function):
    """Rows and slots are one to one, so the gradient is picked; that of ``index_select`` would be summed up."""

    @staticmethod
    def forward(ctx, values: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return rows._fill_slots(values)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.rows._pick_slots(gradient), None


class _OfClouds(torch.autograd.Function):
    """The reverse."""

    @staticmethod
    def forward(ctx, values: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return rows._pick_slots(values)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.rows._fill_slots(gradient), None


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


@contextlib.contextmanager
def fixed_rows(masked: Sequence[Tensor], sizes: Sequence[int]) -> Iterator[None]:
    """Within this context :meth:`Rows.of` makes a fixed number of rows for each of these masks, padding included.

    The same work then serves every batch, and the host need not wait for the
    number of visible centres: what CUDA graphs need.

    Args:
        masked: ``(B, M_i)`` bool per scale.
        sizes: At least as many as visible centres, see :class:`m2ae_mm.engine.recording.RowSizes`.
    """
    before = list(_fixed)
    _fixed[:0] = zip(masked, sizes)
    try:
        yield
    finally:
        _fixed[:] = before
