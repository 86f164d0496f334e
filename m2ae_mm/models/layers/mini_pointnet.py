"""Mini-PointNet: one token from a group of points or finer tokens.

Embeds the scale-1 groups and merges tokens from scale to scale (paper
section 3.3, "token embedding" and "token merging").
"""
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import cpu_kernels, gpu_kernels, max_over_members, reference_only, split_groups

from .exactness import are_exactly
from .token_layers import (
    compute_dtype,
    ignores_padding,
    is_frozen_batch_norm,
    norm_relu,
    takes_batch_statistics,
    update_running_statistics,
)

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

    def forward(self, groups: Tensor, total: Tensor | None = None) -> Tensor:
        """Embed groups.

        Args:
            groups: ``(T, k, in)``.
            total: ``(1,)`` int64 of the groups that are no padding, which
                follows them; the norms count no others. None if all are.

        Returns:
            ``(T, out)`` tokens, anything for padding.
        """
        norms = self.lift_norm, self.join_norm
        multiplies = not reference_only() and are_exactly(nn.Linear, self.lift, self.local, self.join, self.out)
        if total is not None and not (multiplies and all(ignores_padding(norm, groups) for norm in norms)):
            tokens = self(groups[:int(total)])
            return F.pad(tokens, (0, 0, 0, len(groups) - len(tokens)))
        kernels = cpu_kernels(groups)
        if multiplies and kernels is not None and all(map(takes_batch_statistics, norms)):
            return self._train_in_parts(kernels.mini_pointnet.MiniPointNetStep, groups)
        if multiplies:
            return self._multiply(groups, total)
        x = norm_relu(self.lift_norm, self.lift(groups))
        x = self.local(x)
        x = self.join(torch.cat([max_over_members(x).unsqueeze(1).expand_as(x), x], -1))
        return max_over_members(self.out(norm_relu(self.join_norm, x)))

    def _multiply(self, groups: Tensor, total: Tensor | None) -> Tensor:
        """With products of the layers' weights, which spare every member a part of the work, and so do two more things.

        A bias is added behind the max-pool, to fewer rows; in evaluation
        without gradients norms are factors of the products before them.
        """
        norms = self.lift_norm, self.join_norm
        lift, member, (cloud, bias) = (self.lift.weight, self.lift.bias), *self._join_weights()
        folds = not torch.is_grad_enabled() and all(map(is_frozen_batch_norm, norms))
        if folds:
            lift, (member, cloud, bias) = _fold(norms[0], *lift), _fold(norms[1], member, cloud, bias)
            norms = None, None
        product, tokens = self._product(groups, folds), []
        for part in self._parts(groups) if folds else [groups]:
            x = norm_relu(norms[0], product(part, *lift), None, total)
            largest = _plus(max_over_members(product(x, self.local.weight, None)), self.local.bias)
            x = norm_relu(norms[1], product(x, member, None), product(largest, cloud, bias), total)
            tokens.append(max_over_members(product(x, self.out.weight, None)))
        return _plus(torch.cat(tokens), self.out.bias)

    @staticmethod
    def _product(groups: Tensor, folds: bool) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
        """``F.linear``, by the kernels where they serve."""
        kernels = gpu_kernels(groups)
        if kernels is not None:
            dtype = compute_dtype(groups)

            def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
                return kernels.linear.Linear.apply(x.flatten(0, -2).to(dtype), weight, bias).view(*x.shape[:-1], -1)

            return product
        kernels = cpu_kernels(groups) if folds else None
        return F.linear if kernels is None else kernels.linear.linear

    def _parts(self, groups: Tensor) -> Sequence[Tensor]:
        """Groups have nothing to do with each other: in parts, their activations stay in the cache of a CPU."""
        if groups.device.type != 'cpu' or torch.compiler.is_compiling():
            return [groups]
        return split_groups(groups, self.join.out_features, _PART_BYTES)

    def _train_in_parts(self, step: type[torch.autograd.Function], groups: Tensor) -> Tensor:
        """With ``step`` of the CPU kernels, running statistics included."""
        lift_norm, join_norm = self.lift_norm, self.join_norm
        member, (pooled, bias) = self._join_weights()
        tokens, *statistics = step.apply(
            groups, lift_norm.eps, join_norm.eps, self.lift.weight, self.lift.bias, lift_norm.weight, lift_norm.bias,
            self.local.weight, self.local.bias, member, pooled, bias, join_norm.weight, join_norm.bias,
            self.out.weight, self.out.bias)
        members = groups.shape[0] * groups.shape[1]
        unbiased = members / max(members - 1, 1)
        for norm, mean, variance in ((lift_norm, *statistics[:2]), (join_norm, *statistics[2:])):
            update_running_statistics(norm, mean, variance * unbiased)
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


def _fold(norm: nn.BatchNorm1d, *weights: Tensor) -> tuple[Tensor, ...]:
    """Weights (C, ...) of linear layers, the last of them their bias (C,), with ``norm`` in evaluation behind them."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    *weights, bias = weights
    return *(weight * scale.unsqueeze(1) for weight in weights), (bias - norm.running_mean) * scale + norm.bias


def _plus(x: Tensor, bias: Tensor) -> Tensor:
    """``x + bias`` in the dtype of ``x``: under autocast, float32 would slow down all that follows."""
    return x + bias.to(x.dtype)
