"""A training step of a mini-PointNet in parts that stay in the cache.

Operator by operator, its activations go through memory a dozen times each way:
at the paper's sizes 67 and 268 MB each for 16 clouds. Here they do so once or
twice, and the gradients of the max-pools, zero for all members but one, are
not multiplied.
"""
import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..grouping import split_groups
from ..linear.cpu import linear, weight_gradient
from ..pooling.cpu import max_over_members
from ..threads import for_each_part
from . import cpu_passes

# Bytes of the widest activation of a part that the cache of a CPU holds.
_PART_BYTES = 2**23


class Weights(NamedTuple):
    """Parameters of :class:`m2ae_mm.models.layers.mini_pointnet.MiniPointNet`, norms as scale and shift.

    ``member`` and ``cloud`` are what it does to a normalised member and to the
    pooled vector.
    """
    lift: Tensor
    lift_bias: Tensor
    lift_scale: Tensor
    lift_shift: Tensor
    local: Tensor
    local_bias: Tensor
    member: Tensor
    cloud: Tensor
    cloud_bias: Tensor
    join_scale: Tensor
    join_shift: Tensor
    out: Tensor
    out_bias: Tensor


class Norm(NamedTuple):
    """Of a batch, all (C,): ``values * scale + shift`` normalises; ``variance`` is the biased one."""
    mean: Tensor
    variance: Tensor
    inverse: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, sums: np.ndarray, members: int, eps: float, weight: Tensor, bias: Tensor) -> 'Norm':
        """From ``(2, C)`` float64 sums and sums of squares over all members."""
        mean, square = sums / members
        variance = np.maximum(square - mean * mean, 0)
        mean, variance, inverse = (torch.from_numpy(x).float() for x in (mean, variance, (variance + eps)**-0.5))
        scale = weight * inverse
        return cls(mean, variance, inverse, scale, bias - mean * scale)

    def rectified(self, values: Tensor) -> Tensor:
        """ReLU of normalised ``values``."""
        return torch.addcmul(self.shift, values, self.scale).relu_()

    def array(self) -> np.ndarray:
        """What the kernels call ``norm``."""
        return torch.stack([self.mean, self.scale, self.shift]).numpy()

    def backward(self, sums: np.ndarray, members: int, weight: Tensor, bias: Tensor) -> np.ndarray:
        """Write the gradients of weight and bias; what ``norm_backward`` calls ``averages``.

        ``sums`` (2, C) are those of ``max_pool_backward``, over so many ``members``.
        """
        plain, moment = torch.from_numpy(sums).float()
        weight.copy_(moment * self.inverse)
        bias.copy_(plain)
        return torch.stack([plain, moment * self.inverse.square()]).div_(members).numpy()


class Part(NamedTuple):
    """What the backward pass needs of some groups: input, ``lift``, first max-pool, ``join``, second one's choice."""
    groups: Tensor
    lifted: Tensor
    pooled: Tensor
    first: Tensor
    joined: Tensor
    second: Tensor


class MiniPointNetStep(torch.autograd.Function):
    """Tokens ``(T, O)`` of float32 groups ``(T, k, C)``; mean and variance of either norm, without gradient."""

    @staticmethod
    def forward(ctx, groups: Tensor, lift_eps: float, join_eps: float, *weights: Tensor) -> tuple[Tensor, ...]:
        w = Weights(*(weight.detach() for weight in weights))
        count, k, _ = groups.shape
        groups = split_groups(groups.detach().contiguous(), len(w.member), _PART_BYTES)

        lifted, sums = [], np.zeros((2, len(w.lift)))
        for part in groups:
            lifted.append(linear(part, w.lift))
            sums += _add_and_sum(lifted[-1], w.lift_bias.repeat(len(part), 1))
        lift_norm = Norm.of(sums, count * k, lift_eps, w.lift_scale, w.lift_shift)

        pooled, first, joined, sums = [], [], [], np.zeros((2, len(w.member)))
        for part in lifted:
            hidden = lift_norm.rectified(part)
            largest, member = max_over_members(linear(hidden, w.local))
            pooled.append(largest + w.local_bias)
            first.append(member)
            joined.append(linear(hidden, w.member))
            sums += _add_and_sum(joined[-1], torch.addmm(w.cloud_bias, pooled[-1], w.cloud.t()))
        join_norm = Norm.of(sums, count * k, join_eps, w.join_scale, w.join_shift)

        tokens, second = zip(*(max_over_members(linear(join_norm.rectified(part), w.out)) for part in joined))
        ctx.norms = lift_norm, join_norm
        parts = map(Part, groups, lifted, pooled, first, joined, second)
        ctx.save_for_backward(*weights, *itertools.chain.from_iterable(parts))
        statistics = (*lift_norm[:2], *join_norm[:2])
        ctx.mark_non_differentiable(*statistics)
        return torch.cat(tokens) + w.out_bias, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor, *_) -> tuple[Tensor | None, ...]:
        (lift_norm, join_norm), saved = ctx.norms, ctx.saved_tensors
        first, size = len(Weights._fields), len(Part._fields)
        w = Weights(*saved[:first])
        parts = [Part(*saved[start:start + size]) for start in range(first, len(saved), size)]
        d_weights = Weights(*(torch.zeros_like(weight) for weight in w))
        gradients = gradient.contiguous().split([len(part.groups) for part in parts])
        members = len(gradient) * parts[0].groups.shape[1]

        # A norm's backward pass needs sums over all members, so each of the two ends a pass over all parts.
        d_weights.out_bias.copy_(gradient.sum(0))
        sums = sum(_max_pool_backward(slope, part.second, w.out, part.joined, join_norm, d_weights.out)
                   for slope, part in zip(gradients, parts))
        averages = join_norm.backward(sums, members, d_weights.join_scale, d_weights.join_shift)

        d_lift, sums = [], 0
        for slope, part in zip(gradients, parts):
            d_join, shared = _max_pool_norm_backward(slope, part.second, w.out, part.joined, join_norm, averages)
            d_weights.cloud.addmm_(shared.t(), part.pooled)
            d_weights.cloud_bias.add_(shared.sum(0))
            d_weights.member.add_(weight_gradient(d_join, lift_norm.rectified(part.lifted)))
            d_lift.append(linear(d_join, w.member.t()))
            d_pool = shared @ w.cloud
            d_weights.local_bias.add_(d_pool.sum(0))
            sums += _max_pool_backward(d_pool, part.first, w.local, part.lifted, lift_norm, d_weights.local, d_lift[-1])
        averages = lift_norm.backward(sums, members, d_weights.lift_scale, d_weights.lift_shift)

        d_groups = []
        for slope, part in zip(d_lift, parts):
            _norm_backward(part.lifted, lift_norm, averages, slope)
            d_weights.lift.add_(weight_gradient(slope, part.groups))
            if ctx.needs_input_grad[0]:
                d_groups.append(linear(slope, w.lift.t()))
        # lift_bias moves the mean only: its gradient is 0
        return torch.cat(d_groups) if d_groups else None, None, None, *d_weights


# The kernels of the same names, for tensors and on all threads.


def _add_and_sum(values: Tensor, shared: Tensor) -> np.ndarray:
    arrays = values.numpy(), shared.contiguous().numpy()
    return sum(for_each_part(lambda start, stop: cpu_passes.add_and_sum(*arrays, start, stop), len(values)))


def _max_pool_backward(gradient: Tensor, member: Tensor, weight: Tensor, values: Tensor, norm: Norm, d_weight: Tensor,
                       result: Tensor | None = None) -> np.ndarray:
    arrays = *(x.numpy() for x in (gradient, member, weight.contiguous(), values)), norm.array()
    left = (values[:0] if result is None else result).numpy()
    found = for_each_part(lambda start, stop: cpu_passes.max_pool_backward(*arrays, start, stop, left), len(values))
    for part, _ in found:
        d_weight.add_(torch.from_numpy(part))
    return sum(sums for _, sums in found)


def _max_pool_norm_backward(gradient: Tensor, member: Tensor, weight: Tensor, values: Tensor, norm: Norm,
                            averages: np.ndarray) -> tuple[Tensor, Tensor]:
    arrays = *(x.numpy() for x in (gradient, member, weight.contiguous(), values)), norm.array(), averages
    result, total = torch.empty_like(values), torch.empty_like(values[:, 0])
    for_each_part(
        lambda start, stop: cpu_passes.max_pool_norm_backward(*arrays, start, stop, result.numpy(), total.numpy()),
        len(values))
    return result, total


def _norm_backward(values: Tensor, norm: Norm, averages: np.ndarray, result: Tensor) -> None:
    arrays = values.numpy(), norm.array(), averages
    for_each_part(lambda start, stop: cpu_passes.norm_backward(*arrays, start, stop, result.numpy()), len(values))
