"""A training step of a mini-PointNet in parts that stay in the cache.

Operator by operator, its activations go through memory a dozen times each way:
at the paper's sizes 67 and 268 MB each for 16 clouds. Here they do so once or
twice, and the gradients of the max-pools, zero for all members but one, are
not multiplied.
"""
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import group_kernels
from .pooling import max_over_members
from .threads import for_each_part

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

    def backward(self, sums: np.ndarray, values: Tensor, weight: Tensor, bias: Tensor) -> np.ndarray:
        """Write the gradients of weight and bias; what ``through_norm`` calls ``averages``.

        ``sums`` (2, C) are those of ``through_max``; ``values`` tells how many.
        """
        plain, moment = torch.from_numpy(sums).float()
        weight.copy_(moment * self.inverse)
        bias.copy_(plain)
        count = values.shape[0] * values.shape[1]
        return torch.stack([plain / count, moment * self.inverse.square() / count]).numpy()


class MiniPointNetStep(torch.autograd.Function):
    """Tokens ``(T, O)`` of float32 groups ``(T, k, C)``; mean and variance of either norm, without gradient."""

    @staticmethod
    def forward(ctx, groups: Tensor, lift_eps: float, join_eps: float, *weights: Tensor) -> tuple[Tensor, ...]:
        w = Weights(*(weight.detach() for weight in weights))
        groups = groups.detach().contiguous()
        count, k, _ = groups.shape
        lifted, joined = (groups.new_empty(count, k, len(weight)) for weight in (w.lift, w.member))
        parts, sums = _parts(joined), np.zeros((2, len(w.lift)))
        for part in parts:
            _product(groups[part], w.lift, lifted[part])
            sums += _add_and_measure(lifted[part], w.lift_bias.repeat(len(lifted[part]), 1))
        lift_norm = Norm.of(sums, count * k, lift_eps, w.lift_scale, w.lift_shift)

        pooled, chosen, sums = [], [], np.zeros((2, len(w.member)))
        for part in parts:
            hidden = lift_norm.rectified(lifted[part])
            largest, member = max_over_members(hidden @ w.local.t())
            pooled.append(largest + w.local_bias)
            chosen.append(member)
            _product(hidden, w.member, joined[part])
            sums += _add_and_measure(joined[part], torch.addmm(w.cloud_bias, pooled[-1], w.cloud.t()))
        join_norm = Norm.of(sums, count * k, join_eps, w.join_scale, w.join_shift)
        first = torch.cat(pooled), torch.cat(chosen)

        second = [max_over_members(join_norm.rectified(joined[part]) @ w.out.t()) for part in parts]
        tokens, member = (torch.cat(x) for x in zip(*second))
        ctx.norms = lift_norm, join_norm
        ctx.save_for_backward(groups, lifted, joined, *first, member, *weights)
        statistics = (*lift_norm[:2], *join_norm[:2])
        ctx.mark_non_differentiable(*statistics)
        return tokens + w.out_bias, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor, *_) -> tuple[Tensor | None, ...]:
        groups, lifted, joined, pooled, first, second, *weights = ctx.saved_tensors
        w, (lift_norm, join_norm) = Weights(*weights), ctx.norms
        found = Weights(*(torch.zeros_like(weight) for weight in w))
        parts, gradient = _parts(joined), gradient.contiguous()

        # A norm's backward pass needs sums over all members, so each of the two ends a pass over all parts.
        found.out_bias.copy_(gradient.sum(0))
        sums = sum(_through_max(gradient[part], second[part], w.out, joined[part], join_norm, found.out)
                   for part in parts)
        averages = join_norm.backward(sums, joined, found.join_scale, found.join_shift)

        at_lift, sums = torch.empty_like(lifted), 0
        for part in parts:
            at_join, shared = _through_max_and_norm(gradient[part], second[part], w.out, joined[part], join_norm,
                                                    averages)
            found.cloud.addmm_(shared.t(), pooled[part])
            found.cloud_bias.add_(shared.sum(0))
            _add_outer(at_join, lift_norm.rectified(lifted[part]), found.member)
            _product(at_join, w.member.t(), at_lift[part])
            at_pool = shared @ w.cloud
            found.local_bias.add_(at_pool.sum(0))
            sums += _through_max(at_pool, first[part], w.local, lifted[part], lift_norm, found.local, at_lift[part])
        averages = lift_norm.backward(sums, lifted, found.lift_scale, found.lift_shift)

        at_groups = torch.empty_like(groups) if ctx.needs_input_grad[0] else None
        for part in parts:
            _through_norm(lifted[part], lift_norm, averages, at_lift[part])
            _add_outer(at_lift[part], groups[part], found.lift)
            if at_groups is not None:
                _product(at_lift[part], w.lift.t(), at_groups[part])
        return at_groups, None, None, *found  # lift_bias moves the mean only: its gradient is 0


def _parts(values: Tensor) -> list[slice]:
    """Groups of ``values`` (T, k, C) in parts that the cache holds."""
    count, k, channels = values.shape
    size = max(_PART_BYTES // (4 * k * channels), 1)
    return [slice(start, start + size) for start in range(0, count, size)]


def _product(values: Tensor, weight: Tensor, result: Tensor) -> None:
    """``result`` (T, k, D) = ``values`` (T, k, C) times ``weight`` (D, C)."""
    torch.mm(values.flatten(0, 1), weight.t(), out=result.view(-1, result.shape[2]))


def _add_outer(left: Tensor, right: Tensor, result: Tensor) -> None:
    """``result`` (C, D) += ``left`` (T, k, C), transposed, times ``right`` (T, k, D)."""
    result.addmm_(left.flatten(0, 1).t(), right.flatten(0, 1))


# The kernels of the same names on tensors, on all threads.


def _add_and_measure(values: Tensor, shared: Tensor) -> np.ndarray:
    arrays = values.numpy(), shared.contiguous().numpy()
    return sum(for_each_part(lambda start, stop: group_kernels.add_and_measure(*arrays, start, stop), len(values)))


def _through_max(gradient: Tensor, member: Tensor, weight: Tensor, values: Tensor, norm: Norm, weight_gradient: Tensor,
                 result: Tensor | None = None) -> np.ndarray:
    arrays = *(x.numpy() for x in (gradient, member, weight.contiguous(), values)), norm.array()
    left = (values[:0] if result is None else result).numpy()
    found = for_each_part(lambda start, stop: group_kernels.through_max(*arrays, start, stop, left), len(values))
    for part, _ in found:
        weight_gradient.add_(torch.from_numpy(part))
    return sum(sums for _, sums in found)


def _through_max_and_norm(gradient: Tensor, member: Tensor, weight: Tensor, values: Tensor, norm: Norm,
                          averages: np.ndarray) -> tuple[Tensor, Tensor]:
    arrays = *(x.numpy() for x in (gradient, member, weight.contiguous(), values)), norm.array(), averages
    result, total = torch.empty_like(values), torch.empty_like(values[:, 0])
    for_each_part(
        lambda start, stop: group_kernels.through_max_and_norm(*arrays, start, stop, result.numpy(), total.numpy()),
        len(values))
    return result, total


def _through_norm(values: Tensor, norm: Norm, averages: np.ndarray, result: Tensor) -> None:
    arrays = values.numpy(), norm.array(), averages
    for_each_part(lambda start, stop: group_kernels.through_norm(*arrays, start, stop, result.numpy()), len(values))
