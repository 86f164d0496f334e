"""What the hand-written kernels of a GPU compute, in stock PyTorch on the same packed rows, for the compiler."""
import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def add_layer_norm(x: Tensor, position: Tensor | None, delta: Tensor | None, delta_bias: Tensor | None,
                   factor: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float):
    total = x.float()
    if position is not None:
        total = total + position.float()
    if delta is not None:
        added = delta.float() if delta_bias is None else delta.float() + delta_bias
        total = total + (added if factor is None else added * factor.unsqueeze(1))
    total = total.to(x.dtype)
    normed = None if weight is None else F.layer_norm(total.float(), weight.shape, weight, bias, eps).to(x.dtype)
    return total, normed, position


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    return F.gelu(x.float() + bias).to(x.dtype)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))


def batch_norm_relu(x: Tensor, shared: Tensor | None, k: int, count: Tensor, weight: Tensor, bias: Tensor, eps: float):
    groups, channels = x.shape[0] // k, x.shape[1]
    rows = x.view(groups, k, channels).float()
    if shared is not None:
        rows = rows + shared.float().unsqueeze(1)
    real = (torch.arange(groups, device=x.device) < count).view(-1, 1, 1)
    members = count * k
    rows = torch.where(real, rows, 0.)
    mean = rows.sum((0, 1)) / members
    squares = torch.where(real, (rows - mean)**2, 0.).sum((0, 1))
    variance = squares / members
    y = F.relu((rows - mean) * (variance + eps).rsqrt() * weight + bias)
    y = torch.where(real, y, 0.).to(x.dtype).view_as(x)
    return y, mean.detach(), (squares / (members - 1)).detach()


def packed_attention(qkv: Tensor, starts: Tensor, counts: Tensor, longest: int, marks: Tensor | None) -> Tensor:
    rows, _, heads, width = qkv.shape
    if marks is not None:  # whole clouds, see near_marks
        q, k, v = qkv.view(len(starts), longest, 3, heads, width).permute(2, 0, 3, 1, 4)
        output = F.scaled_dot_product_attention(q, k, v, attn_mask=marks.unsqueeze(1))
        return output.transpose(1, 2).reshape(rows, heads, width)
    end = starts[-1:] + counts[-1:]
    real = (torch.arange(rows, device=qkv.device) < end).view(-1, 1, 1)
    qkv = torch.where(real.unsqueeze(-1), qkv, 0.)  # the padding's gradients may be anything
    if qkv.is_cuda and qkv.dtype != torch.float32:
        from torch.nn.attention.varlen import varlen_attn
        ends = torch.cat([starts, end]).int()
        output = varlen_attn(*(each.contiguous() for each in qkv.unbind(1)), ends, ends, longest, longest)
    else:
        cloud = (torch.arange(rows, device=qkv.device).unsqueeze(1) >= starts + counts).sum(1)
        q, k, v = qkv.permute(1, 2, 0, 3).unsqueeze(1)
        output = F.scaled_dot_product_attention(q, k, v, attn_mask=cloud.unsqueeze(1) == cloud)[0].transpose(0, 1)
    return torch.where(real, output, 0.)


def near_marks(centers: Tensor, starts: Tensor, counts: Tensor, longest: int, radius: float) -> Tensor:
    """``(B, L, L)`` bool of whole clouds, ``True`` where a pair sees each other."""
    return ~far_pairs(centers.view(len(starts), longest, 3), radius)


def far_pairs(centers: Tensor, radius: float) -> Tensor:
    from m2ae_mm.ops import squared_distances
    far = squared_distances(centers, centers) >= radius**2
    return far & ~torch.eye(centers.shape[1], dtype=torch.bool, device=centers.device)


def max_over_members(values: Tensor) -> Tensor:
    return values.amax(1)


def half_copies(module, dtype):
    return contextlib.nullcontext()


# What takes the place of the functions in m2ae_mm/ops/OPERATOR/gpu.py.
PLAIN: dict[str, dict[str, Callable]] = dict(
    attention=dict(PackedAttention=packed_attention, near_marks=near_marks, far_pairs=far_pairs),
    layer_norm=dict(AddLayerNorm=add_layer_norm),
    gelu=dict(BiasGelu=bias_gelu),
    linear=dict(Linear=linear, half_copies=half_copies),
    batch_norm=dict(BatchNormReLU=batch_norm_relu),
    pooling=dict(max_over_members=max_over_members))


@contextlib.contextmanager
def serving(operators: list[str], compiled: bool, own: Any = None) -> Iterator[None]:
    """The models get the plain functions in place of the kernels of these operators.

    Args:
        operators: Of :data:`PLAIN`.
        compiled: Each function through torch.compile by itself; otherwise as it is.
        own: The kernels that serve for the rest; None where all are replaced.
    """
    from m2ae_mm.models.layers import mini_pointnet
    from m2ae_mm.ops import dispatch
    kernels = SimpleNamespace(**({name: getattr(own, name) for name in PLAIN} if own else {}))
    for operator in operators:
        functions = {name: torch.compile(function, dynamic=False) if compiled and name != 'half_copies' else function
                     for name, function in PLAIN[operator].items()}
        # Autograd functions are called through ``apply``.
        setattr(kernels, operator, SimpleNamespace(**{
            name: SimpleNamespace(apply=function) if name[0].isupper() else function
            for name, function in functions.items()}))
    before = dispatch._fused_kernels, mini_pointnet.max_over_members
    dispatch._fused_kernels = lambda place, values: kernels if place is dispatch.GPU else None
    if 'pooling' in operators:  # which the models call by itself
        mini_pointnet.max_over_members = kernels.pooling.max_over_members
    try:
        yield
    finally:
        dispatch._fused_kernels, mini_pointnet.max_over_members = before
