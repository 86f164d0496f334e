"""Mini-PointNet: one token from a group of points or finer tokens.

Embeds the scale-1 groups and merges tokens from scale to scale (paper
section 3.3, "token embedding" and "token merging").
"""
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import max_over_members


class MiniPointNet(nn.Module):
    """Two shared MLPs with a max-pool after each.

    ``in -> hidden[0] -> hidden[1]``, max-pool, the pooled vector joined to
    every member, ``2 * hidden[1] -> hidden[2] -> out``, max-pool.

    Args:
        in_channels: Channels of a member.
        hidden: Three hidden widths; (128, 256, 512) for points. For merging
            C_{i-1} to C_i use :meth:`merging`.
        out_channels: Token width.
    """

    def __init__(self, in_channels: int, hidden: Sequence[int], out_channels: int) -> None:
        super().__init__()
        first, local, second = hidden
        self.lift = nn.Linear(in_channels, first)
        self.lift_norm = nn.BatchNorm1d(first)
        self.local = nn.Linear(first, local)
        self.join = nn.Linear(2 * local, second)
        self.join_norm = nn.BatchNorm1d(second)
        self.out = nn.Linear(second, out_channels)

    @classmethod
    def merging(cls, in_channels: int, out_channels: int) -> 'MiniPointNet':
        """Token merging from width ``in_channels`` to ``out_channels``."""
        return cls(in_channels, (in_channels, in_channels, out_channels), out_channels)

    def forward(self, groups: Tensor) -> Tensor:
        """``(T, k, in)`` groups to ``(T, out)`` tokens."""
        count, k, _ = groups.shape
        x = self.lift(groups).flatten(0, 1)
        local = self.local(F.relu(self.lift_norm(x))).view(count, k, -1)
        pooled = max_over_members(local)
        # The weight's left half meets the pooled vector, the same for all k
        # members, so that half of the product is taken once per group.
        width = pooled.shape[-1]
        shared = F.linear(pooled, self.join.weight[:, :width], self.join.bias)
        own = F.linear(local, self.join.weight[:, width:])
        x = (own + shared.unsqueeze(1)).flatten(0, 1)
        x = self.out(F.relu(self.join_norm(x)))
        return max_over_members(x.view(count, k, -1))
