"""Transformer stages of encoder and decoder."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from m2ae_mm.ops import gpu_kernels
from m2ae_mm.ops.dispatch import Kernels

from .attention import SelfAttention
from .exactness import are_exactly
from .packing import Rows
from .token_layers import TokenLinear, compute_dtype


class Residual(NamedTuple):
    """Tokens as a pending sum, which a GPU kernel takes together with the norm that follows.

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

    def add_and_norm(self, norm: nn.Module | None, kernels: Kernels) -> tuple[Tensor, Tensor, Tensor | None]:
        """The tokens, their norm, and the position for its next use; None and ``nn.Identity`` normalise nothing."""
        plain = norm is None or isinstance(norm, nn.Identity)
        tokens, normed, position = kernels.layer_norm.AddLayerNorm.apply(
            self.x, self.position, self.delta, self.delta_bias, self.factor,
            *(None, None, 0.) if plain else (norm.weight, norm.bias, norm.eps))
        return tokens, tokens if plain else normed, position


class DropPath(nn.Module):
    """Stochastic depth: in training, clouds skip a residual branch with a probability."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        """``(R, C)`` what a branch adds."""
        factor = self.factor(rows)
        return x if factor is None else x * factor.unsqueeze(1).to(x.dtype)

    def factor(self, rows: Rows) -> Tensor | None:
        """``(R,)`` 0 for rows of clouds that skip it, else 1 / (1 - probability); None if all are 1."""
        if not self.training or not self.drop_prob:
            return None
        stays = torch.rand(len(rows.starts), device=rows.starts.device) >= self.drop_prob
        return (stays / (1 - self.drop_prob)).index_select(0, rows.cloud)


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = TokenLinear(dims, hidden)
        self.act = nn.GELU()
        self.fc2 = TokenLinear(hidden, dims)

    def forward(self, x: Tensor, add_bias: bool = True) -> Tensor:
        """``(R, C)`` to ``(R, C)``; without ``add_bias`` the caller adds that of the last layer."""
        kernels = gpu_kernels(x)
        if kernels is not None and are_exactly(TokenLinear, self.fc1) and are_exactly(nn.GELU, self.act):
            return self.fc2(kernels.gelu.BiasGelu.apply(self.fc1(x, add_bias=False), self.fc1.bias), add_bias)
        return self.fc2(self.act(self.fc1(x)), add_bias)


class Block(nn.Module):
    """Pre-norm transformer block with stochastic depth.

    Args:
        dims: Token width.
        num_heads: Attention heads.
        drop_path: Probability to skip each residual branch in training.
    """

    def __init__(self, dims: int, num_heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.attn = SelfAttention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = Mlp(dims, 4 * dims)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, rows: Rows, pairs: Tensor | None = None) -> Tensor:
        """``(R, C)`` tokens; rows and pairs as in :class:`SelfAttention`."""
        x = x + self.drop_path(self.attn(self.norm1(x), rows, pairs), rows)
        return x + self.drop_path(self.mlp(self.norm2(x)), rows)

    def forward_fused(self, x: Residual, rows: Rows, pairs: Tensor | None,
                      kernels: Kernels) -> tuple[Residual, Tensor]:
        """:meth:`forward` where sums are taken by the norms behind them; also the position for its next use."""
        total, normed, position = x.add_and_norm(self.norm1, kernels)
        x = Residual(total, self.attn(normed, rows, pairs, add_bias=False), self.attn.proj.bias,
                     self.drop_path.factor(rows))
        total, normed, _ = x.add_and_norm(self.norm2, kernels)
        return Residual(total, self.mlp(normed, add_bias=False), self.mlp.fc2.bias,
                        self.drop_path.factor(rows)), position

    def is_fusible(self) -> bool:
        """Whether :meth:`forward_fused` computes what the modules say."""
        return (are_exactly(nn.LayerNorm, self.norm1, self.norm2) and are_exactly(DropPath, self.drop_path)
                and are_exactly(SelfAttention, self.attn) and are_exactly(Mlp, self.mlp)
                and are_exactly(TokenLinear, self.attn.proj, self.mlp.fc2))


class Stage(nn.Module):
    """The blocks of one scale with its positional embedding.

    The embedding of the centres (Linear 3 to C, GELU, Linear) is added to the
    input of every block.

    Args:
        dims: Token width C.
        num_heads: Attention heads.
        drop_paths: Stochastic depth of each block; its length is the depth.
    """

    def __init__(self, dims: int, num_heads: int, drop_paths: Sequence[float]) -> None:
        super().__init__()
        self.position = nn.Sequential(TokenLinear(3, dims), nn.GELU(), TokenLinear(dims, dims))
        self.blocks = nn.ModuleList(Block(dims, num_heads, rate) for rate in drop_paths)

    def forward(self, x: Tensor, centers: Tensor, rows: Rows, pairs: Tensor | None = None,
                norm: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        """Run the blocks.

        Args:
            x: ``(R, C)`` tokens.
            centers: ``(R, 3)`` float32 their positions.
            rows: Which of them make a cloud.
            pairs: See :class:`SelfAttention`.
            norm: Of what comes out; None for none.

        Returns:
            ``(R, C)`` tokens before and after the norm.
        """
        position = self.position(centers) if self.blocks else None
        kernels = gpu_kernels(x)
        if kernels is not None and self._is_fusible(norm):
            x = Residual(x.to(compute_dtype(x)))
            position = None if position is None else position.to(x.x.dtype)
            for block in self.blocks:
                x, position = block.forward_fused(x._replace(position=position), rows, pairs, kernels)
            return x.add_and_norm(norm, kernels)[:2]
        for block in self.blocks:
            x = block(x + position, rows, pairs)
        return x, x if norm is None else norm(x)

    def _is_fusible(self, norm: nn.Module | None) -> bool:
        known_norm = norm is None or are_exactly(nn.Identity, norm) or are_exactly(nn.LayerNorm, norm)
        return known_norm and are_exactly(Block, *self.blocks) and all(each.is_fusible() for each in self.blocks)


def split_drop_path(rate: float, depths: Sequence[int]) -> list[list[float]]:
    """Stochastic depth rising linearly from 0 to ``rate`` over all blocks of all stages."""
    total = sum(depths)
    rates = [rate * i / max(total - 1, 1) for i in range(total)]
    return [[rates.pop(0) for _ in range(depth)] for depth in depths]
