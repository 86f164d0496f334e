"""Attention to few keys: only the pairs that take part are computed."""
import math

import numpy as np
import torch
from torch import Tensor

from ..jit import kernel, reordering_kernel
from ..threads import for_each_cloud


@kernel
def _list_keys(masked, keys):
    """Write the positions that are not ``masked`` (N,) to ``keys``; their number."""
    count = 0
    for key in range(len(masked)):
        keys[count] = key
        count += not masked[key]
    return count


@reordering_kernel
def _exponentiate(values, powers, largest, count):
    """exp(values - largest) of the first ``count`` (L,), all at most 0, in place: a polynomial makes vectors of it."""
    scaled = powers.view(np.float32)
    for n in range(count):
        x = max((values[n] - largest) * np.float32(1.4426950408889634), np.float32(-126))
        whole = np.int32(x - np.float32(0.5))
        x = (x - whole) * np.float32(0.6931471805599453)
        y = np.float32(1 / 720)
        y = y * x + np.float32(1 / 120)
        y = y * x + np.float32(1 / 24)
        y = y * x + np.float32(1 / 6)
        y = y * x + np.float32(1 / 2)
        y = y * x + np.float32(1)
        values[n] = y * x + np.float32(1)
        powers[n] = (whole + 127) << 23
    for n in range(count):
        values[n] *= scaled[n]


@reordering_kernel
def forward(qkv, masked, result, log_sums):
    """One cloud: ``qkv`` (L, 3, H, D), ``masked`` (L, L), ``result`` (L, H, D), ``log_sums`` (L, H) of the sums."""
    length, _, heads, dims = qkv.shape
    scale = np.float32(1 / math.sqrt(dims))
    keys, powers = np.empty(length + 1, np.int32), np.empty(length, np.int32)
    weights = np.empty(length, np.float32)
    for query in range(length):
        count = _list_keys(masked[query], keys)
        for head in range(heads):
            largest = np.float32(-np.inf)
            q = qkv[query, 0, head]
            for n in range(count):
                k, score = qkv[keys[n], 1, head], np.float32(0)
                for d in range(dims):
                    score += q[d] * k[d]
                weights[n] = score * scale
                largest = max(largest, weights[n])
            total = np.float32(0)
            _exponentiate(weights, powers, largest, count)
            for n in range(count):
                total += weights[n]
            out = result[query, head]
            out[:] = 0
            for n in range(count):
                v, weight = qkv[keys[n], 2, head], weights[n] / total
                for d in range(dims):
                    out[d] += weight * v[d]
            log_sums[query, head] = largest + math.log(total)


@reordering_kernel
def backward(gradient, qkv, masked, result, log_sums, d_qkv):
    """One cloud: ``d_qkv`` (L, 3, H, D), zero before, from ``gradient`` (L, H, D)."""
    length, _, heads, dims = qkv.shape
    scale = np.float32(1 / math.sqrt(dims))
    keys, powers = np.empty(length + 1, np.int32), np.empty(length, np.int32)
    weights, slopes = np.empty(length, np.float32), np.empty(length, np.float32)
    for query in range(length):
        count = _list_keys(masked[query], keys)
        for head in range(heads):
            q, d_q = qkv[query, 0, head], d_qkv[query, 0, head]
            g, mean = gradient[query, head], np.float32(0)
            for d in range(dims):
                mean += g[d] * result[query, head, d]
            for n in range(count):
                k, v = qkv[keys[n], 1, head], qkv[keys[n], 2, head]
                score, product = np.float32(0), np.float32(0)
                for d in range(dims):
                    score += q[d] * k[d]
                    product += g[d] * v[d]
                weights[n], slopes[n] = score * scale, (product - mean) * scale
            _exponentiate(weights, powers, log_sums[query, head], count)
            for n in range(count):
                d_k, d_v, k = d_qkv[keys[n], 1, head], d_qkv[keys[n], 2, head], qkv[keys[n], 1, head]
                weight = weights[n]
                slope = weight * slopes[n]
                for d in range(dims):
                    d_q[d] += slope * k[d]
                    d_k[d] += slope * q[d]
                    d_v[d] += weight * g[d]


class NeighborAttention(torch.autograd.Function):
    """``(B, L, H, D)`` of ``qkv`` (B, L, 3, H, D) float32; ``masked`` (B, L, L), ``True`` = not seen.

    Does what PyTorch's fused attention does; faster where a query sees less
    than some fifth of the keys. Every query has to see one.
    """

    @staticmethod
    def forward(ctx, qkv: Tensor, masked: Tensor) -> Tensor:
        qkv, masked = qkv.detach().contiguous(), masked.contiguous()
        result = torch.empty_like(qkv[:, :, 0])
        log_sums = torch.empty_like(result[..., 0])
        arrays = [x.numpy() for x in (qkv, masked, result, log_sums)]
        for_each_cloud(lambda cloud: forward(*(x[cloud] for x in arrays)), len(qkv))
        ctx.save_for_backward(qkv, masked, result, log_sums)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        d_qkv = torch.zeros_like(ctx.saved_tensors[0])
        arrays = [x.numpy() for x in (gradient.contiguous(), *ctx.saved_tensors, d_qkv)]
        for_each_cloud(lambda cloud: backward(*(x[cloud] for x in arrays)), len(d_qkv))
        return d_qkv, None
