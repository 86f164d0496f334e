"""Mini-PointNet: one token from a group of points or finer tokens.

Embeds the scale-1 groups and merges tokens from scale to scale (paper
section 3.3, "token embedding" and "token merging").
"""
from collections.abc import Sequence
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels, gpu_kernels, max_over_members, reference_only, split_groups

from .batch_statistics import follow, is_a_factor, takes_batch_statistics
from .exactness import are_exactly

# Bytes of the widest activation of a part that the cache of a CPU holds.
_PART_BYTES = 2**24


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
        if not self.is_as_written():
            return self._plain(groups)
        kernels = cpu_kernels(groups)
        if kernels is not None and all(map(takes_batch_statistics, (self.lift_norm, self.join_norm))):
            return self._train_in_parts(kernels.MiniPointNetStep, groups)
        if torch.is_grad_enabled() or not all(map(is_a_factor, (self.lift_norm, self.join_norm))):
            return self._tokens(groups)
        return self._evaluate(groups)

    def is_as_written(self) -> bool:
        """Whether products of its linear layers' weights are what the layers compute."""
        return not reference_only() and are_exactly(nn.Linear, self.lift, self.local, self.join, self.out)

    def _plain(self, groups: Tensor) -> Tensor:
        """Module by module."""
        count, k, _ = groups.shape
        x = F.relu(self.lift_norm(self.lift(groups).flatten(0, 1)), inplace=True)
        x = self.local(x).view(count, k, -1)
        x = torch.cat([max_over_members(x).unsqueeze(1).expand_as(x), x], -1)
        x = F.relu(self.join_norm(self.join(x).flatten(0, 1)), inplace=True)
        return max_over_members(self.out(x).view(count, k, -1))

    def _tokens(self, groups: Tensor) -> Tensor:
        """``(T, k, in)`` to ``(T, out)``, operator by operator."""
        count, k, _ = groups.shape
        x = self.lift_norm(self.lift(groups).flatten(0, 1))
        x = F.relu(x, inplace=True)
        pooled = max_over_members(self.local(x).view(count, k, -1))
        member, cloud = self._join_weights()
        # The pooled vector is the same for all k members: its half of the
        # product is taken once per group.
        shared = F.linear(pooled, *cloud)
        x = F.linear(x, member).view(count, k, -1) + shared.unsqueeze(1)
        x = F.relu(self.join_norm(x.flatten(0, 1)), inplace=True)
        return max_over_members(self.out(x).view(count, k, -1))

    def leaves_out_padding(self) -> bool:
        """Whether :meth:`embed_packed` can keep padding out of the statistics, or takes none.

        A SyncBN asks other processes, a cumulative average counts batches.
        """
        norms = self.lift_norm, self.join_norm
        fixed = (type(norm) is nn.BatchNorm1d and is_a_factor(norm) for norm in norms)
        return self.is_as_written() and (all(map(takes_batch_statistics, norms)) or all(fixed))

    def embed_packed(self, groups: Tensor, total: Tensor, kernels: ModuleType) -> Tensor:
        """:meth:`forward` with the fused kernels of a GPU, on groups of which the last may be padding.

        Args:
            groups: ``(R, k, in)`` in the dtype to compute in.
            total: ``(1,)`` int64 number of groups that are no padding; the
                norms count no others.
            kernels: :func:`m2ae_mm.ops.gpu_kernels`.

        Returns:
            ``(R, out)``, anything for padding.
        """
        if not all(map(takes_batch_statistics, (self.lift_norm, self.join_norm))):
            with torch.autocast(groups.device.type, groups.dtype, groups.dtype != torch.float32, cache_enabled=False):
                return self(groups)
        count, k, _ = groups.shape
        product = kernels.Linear.apply
        x = product(groups.flatten(0, 1), self.lift.weight, self.lift.bias)
        x = self._norm_packed(self.lift_norm, x, None, k, total, kernels)
        pooled = max_over_members(product(x, self.local.weight, self.local.bias).view(count, k, -1))
        member, cloud = self._join_weights()
        shared = product(pooled, *cloud)
        x = self._norm_packed(self.join_norm, product(x, member, None), shared, k, total, kernels)
        return max_over_members(product(x, self.out.weight, self.out.bias).view(count, k, -1))

    @staticmethod
    def _norm_packed(norm: nn.BatchNorm1d, x: Tensor, shared: Tensor | None, k: int, total: Tensor,
                     kernels: ModuleType) -> Tensor:
        x, mean, variance = kernels.BatchNormReLU.apply(x, shared, k, total, norm.weight, norm.bias, norm.eps)
        follow(norm, mean, variance)
        return x

    def _evaluate(self, groups: Tensor) -> Tensor:
        """What :meth:`_tokens` does with running statistics, which are factors of the products before them."""
        lift = _fold(self.lift_norm, self.lift.bias, self.lift.weight)
        member, (pooled, bias) = self._join_weights()
        bias, member, pooled = _fold(self.join_norm, bias, member, pooled)
        kernels, fused, tokens = cpu_kernels(groups), gpu_kernels(groups), []
        product = F.linear if kernels is None else kernels.linear
        for part in self._parts(groups):
            x = F.relu(F.linear(part, *lift[::-1]), inplace=True)
            # A bias may be added behind the max-pool, to fewer rows.
            largest = _plus(max_over_members(product(x, self.local.weight)), self.local.bias)
            x, shared = product(x, member), F.linear(largest, pooled, bias)
            if fused is None:
                x = x.add_(shared.unsqueeze(1)).relu_()
            else:
                x = fused.add_relu(x.flatten(0, 1), shared, x.shape[1]).view_as(x)
            tokens.append(max_over_members(product(x, self.out.weight)))
        return _plus(torch.cat(tokens), self.out.bias)

    def _parts(self, groups: Tensor) -> Sequence[Tensor]:
        """Groups have nothing to do with each other: in parts, their activations stay in the cache of a CPU."""
        if groups.device.type != 'cpu' or torch.compiler.is_compiling():
            return [groups]
        return split_groups(groups, self.join.out_features, _PART_BYTES)

    def _train_in_parts(self, step: type[torch.autograd.Function], groups: Tensor) -> Tensor:
        """What :meth:`_tokens` does, running statistics included, with ``step`` of the CPU kernels."""
        lift_norm, join_norm = self.lift_norm, self.join_norm
        member, (pooled, bias) = self._join_weights()
        tokens, *statistics = step.apply(
            groups, lift_norm.eps, join_norm.eps, self.lift.weight, self.lift.bias, lift_norm.weight, lift_norm.bias,
            self.local.weight, self.local.bias, member, pooled, bias, join_norm.weight, join_norm.bias,
            self.out.weight, self.out.bias)
        members = groups.shape[0] * groups.shape[1]
        unbiased = members / max(members - 1, 1)
        for norm, mean, variance in ((lift_norm, *statistics[:2]), (join_norm, *statistics[2:])):
            follow(norm, mean, variance * unbiased)
        return tokens

    def _join_weights(self) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What ``join`` does to a member and, with a bias, to the pooled vector.

        Nothing lies between ``local`` and ``join``: their product, taken once
        per step, spares every member the larger of the two.
        """
        width = self.local.out_features
        with torch.autocast(self.join.weight.device.type, enabled=False):
            pooled, own = self.join.weight.split([width, width], 1)
            return own @ self.local.weight, (pooled, self.join.bias + own @ self.local.bias)


def _fold(norm: nn.BatchNorm1d, bias: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
    """``bias`` (C,) and ``weights`` (C, ...) of linear layers with ``norm`` in evaluation behind them."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return (bias - norm.running_mean) * scale + norm.bias, *(weight * scale.unsqueeze(1) for weight in weights)


def _plus(x: Tensor, bias: Tensor) -> Tensor:
    """``x + bias``, on a GPU in the dtype of ``x``: under autocast, float32 would slow down all that follows."""
    return x + (bias if x.device.type == 'cpu' else bias.to(x.dtype))
