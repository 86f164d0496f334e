"""Transformer stages on packed rows with the fused kernels of a GPU: the same numbers as :class:`Stage`, sooner."""
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from m2ae_mm.ops import gpu_kernels

from .exactness import are_exactly
from .packing import Rows
from .transformer import Block, Stage


class Residual(NamedTuple):
    """Tokens as a sum that is still to be taken, since the norm that follows takes it on the way.

    Attributes:
        x: ``(R, C)``.
        delta: ``(R, C)`` in the dtype of ``x``, or None.
        delta_bias: ``(C,)`` float32 that is added to ``delta``, or None.
        factor: ``(R,)`` float32 that multiplies their sum, or None.
        position: ``(R, C)`` that is added, too, or None.
    """
    x: Tensor
    delta: Tensor | None = None
    delta_bias: Tensor | None = None
    factor: Tensor | None = None
    position: Tensor | None = None

    def add_and_norm(self, norm: nn.Module | None, kernels: ModuleType) -> tuple[Tensor, Tensor, Tensor | None]:
        """The tokens, their norm, and the position for its next use.

        None and ``nn.Identity`` normalise nothing.
        """
        plain = norm is None or isinstance(norm, nn.Identity)
        tokens, normed, position = kernels.AddLayerNorm.apply(
            self.x, self.position, self.delta, self.delta_bias, self.factor,
            *(None, None, 0.) if plain else (norm.weight, norm.bias, norm.eps))
        return tokens, tokens if plain else normed, position


def run_packed(stage: Stage, x: Tensor, centers: Tensor, rows: Rows, longest: int, radius: float | None,
               kernels: ModuleType) -> Residual:
    """A stage on packed rows.

    Args:
        stage: Whose parameters are used.
        x: ``(R, C)`` tokens in the dtype to compute in.
        centers: ``(R, 3)`` float32 their positions.
        rows: Which rows make a cloud.
        longest: Most rows a cloud can have.
        radius: Of local attention, None for global.
        kernels: :func:`m2ae_mm.ops.gpu_kernels`.

    Returns:
        The tokens behind the last block.
    """
    if not stage.blocks:
        return Residual(x)
    first, _, second = stage.position
    position = linear(second, _linear_gelu(first, centers.to(x.dtype), kernels), kernels)
    marks = None if radius is None else kernels.near_marks(centers, rows.starts, rows.counts, longest, radius)
    factors = draw_drop_paths(stage, rows)
    residual = Residual(x)
    for i, block in enumerate(stage.blocks):
        residual, position = _run_block(block, residual._replace(position=position), factors[2 * i:2 * i + 2], rows,
                                        longest, marks, kernels)
    return residual


def run_clouds(stage: Stage, x: Tensor, centers: Tensor, norm: nn.Module | None = None) -> Tensor:
    """A stage on whole clouds that attend globally, packed where a GPU's kernels serve.

    Args:
        stage: The stage.
        x: ``(B, L, C)`` tokens.
        centers: ``(B, L, 3)`` their positions.
        norm: Of what comes out; None for none.

    Returns:
        ``(B, L, C)``.
    """
    kernels = gpu_kernels(x)
    if kernels is None or not stage.is_as_written() or not is_layer_norm(norm):
        x = stage(x, centers)
        return x if norm is None else norm(x)
    batch, length, _ = x.shape
    rows = Rows.of_all(batch, length, x.device)
    dtype = dtype_of(x.device.type)
    with torch.autocast(x.device.type, enabled=False), kernels.half_copies(stage, dtype):
        residual = run_packed(stage, x.flatten(0, 1).to(dtype), centers.flatten(0, 1), rows, length, None, kernels)
        result = residual.add_and_norm(norm, kernels)[1]
    return result.view(x.shape)


def is_layer_norm(norm: nn.Module | None) -> bool:
    """Whether the kernels compute it: LayerNorm or nothing."""
    return norm is None or are_exactly(nn.Identity, norm) or are_exactly(nn.LayerNorm, norm)


def dtype_of(device: str) -> torch.dtype:
    """What layers compute in: autocast's choice, or float32."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32


def _run_block(block: Block, residual: Residual, factors: list[Tensor | None], rows: Rows, longest: int,
               marks: Tensor | None, kernels: ModuleType) -> tuple[Residual, Tensor]:
    total, normed, position = residual.add_and_norm(block.norm1, kernels)
    qkv = linear(block.attn.qkv, normed, kernels).view(len(normed), 3, block.attn.num_heads, -1)
    attended = kernels.PackedAttention.apply(qkv, rows.starts, rows.counts, longest, marks).flatten(1)
    residual = Residual(total, *_linear_and_bias(block.attn.proj, attended, kernels), factors[0])
    total, normed, _ = residual.add_and_norm(block.norm2, kernels)
    hidden = _linear_gelu(block.mlp.fc1, normed, kernels)
    return Residual(total, *_linear_and_bias(block.mlp.fc2, hidden, kernels), factors[1]), position


def linear(layer: nn.Linear, x: Tensor, kernels: ModuleType) -> Tensor:
    """``layer`` on ``(R, in)`` rows in their dtype."""
    return kernels.Linear.apply(x, layer.weight, layer.bias)


def _linear_and_bias(layer: nn.Linear, x: Tensor, kernels: ModuleType) -> tuple[Tensor, Tensor]:
    """``layer`` before its bias, and the bias: what comes next adds it, and has its gradient on the way."""
    return kernels.Linear.apply(x, layer.weight, None), layer.bias


def _linear_gelu(layer: nn.Linear, x: Tensor, kernels: ModuleType) -> Tensor:
    return kernels.BiasGelu.apply(*_linear_and_bias(layer, x, kernels))


def draw_drop_paths(stage: Stage, rows: Rows) -> list[Tensor | None]:
    """Factor ``(R,)`` of each residual branch: 0 for clouds that skip it, 1 / (1 - rate) for the others, or None.

    As mmcv's ``DropPath``, every branch of every cloud on its own.
    """
    keep = stage.branch_keep.float()
    if not stage.training or not stage.drops:
        return [None] * len(keep)
    random = torch.rand(len(keep), len(rows.starts), device=keep.device)
    return list(((random < keep) / keep).index_select(1, rows.cloud))
