"""Transformer stages of encoder and decoder."""
from collections.abc import Sequence

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .attention import SelfAttention
from .exactness import are_exactly
from .token_linear import TokenLinear


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = TokenLinear(dims, hidden)
        self.act = nn.GELU()
        self.fc2 = TokenLinear(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm transformer block with stochastic depth.

    Args:
        dims: Token width.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over ``dims``.
        drop_path: Probability to skip each residual branch in training.
    """

    def __init__(self, dims: int, num_heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.attn = SelfAttention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = Mlp(dims, int(dims * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), left_out))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def is_as_written(self) -> bool:
        """Whether its modules are those that it was made of."""
        linear = self.attn.qkv, self.attn.proj, self.mlp.fc1, self.mlp.fc2
        return (are_exactly(nn.LayerNorm, self.norm1, self.norm2) and are_exactly(SelfAttention, self.attn)
                and are_exactly(Mlp, self.mlp) and are_exactly(nn.GELU, self.mlp.act)
                and are_exactly(TokenLinear, *linear) and are_exactly(type(self.drop_path), self.drop_path))


class Stage(nn.Module):
    """The blocks of one scale with its positional embedding.

    The embedding of the centres (Linear 3 to C, GELU, Linear) is added to the
    input of every block.

    Args:
        dims: Token width C.
        num_heads: Attention heads.
        mlp_ratio: See :class:`Block`.
        drop_paths: Stochastic depth of each block; its length is the depth.
    """

    def __init__(self, dims: int, num_heads: int, mlp_ratio: float, drop_paths: Sequence[float]) -> None:
        super().__init__()
        self.position = nn.Sequential(nn.Linear(3, dims), nn.GELU(), TokenLinear(dims, dims))
        self.blocks = nn.ModuleList(Block(dims, num_heads, mlp_ratio, rate) for rate in drop_paths)
        self.drop_paths = list(drop_paths)
        self.drops = any(drop_paths)
        # Of the two residual branches of every block, (2 * depth, 1): where the fused path reads it on the device.
        keep = 1 - torch.tensor([rate for rate in drop_paths for _ in range(2)]).unsqueeze(1)
        self.register_buffer('branch_keep', keep, persistent=False)

    def forward(self, x: Tensor, centers: Tensor, left_out: Tensor | None = None) -> Tensor:
        """``(B, L, C)`` tokens at ``(B, L, 3)`` centres; mask as in :class:`SelfAttention`."""
        position = self.position(centers)
        for block in self.blocks:
            x = block(x + position, left_out)
        return x

    def is_as_written(self) -> bool:
        """Whether its modules are those that it was made of, and drop as they did then."""
        kinds = nn.Linear, nn.GELU, TokenLinear
        return (are_exactly(nn.Sequential, self.position) and len(self.position) == len(kinds)
                and all(map(are_exactly, kinds, self.position)) and are_exactly(Block, *self.blocks)
                and all(block.is_as_written() for block in self.blocks)
                and [getattr(block.drop_path, 'drop_prob', 0.) for block in self.blocks] == self.drop_paths)


def split_drop_path(rate: float, depths: Sequence[int]) -> list[list[float]]:
    """Stochastic depth rising linearly from 0 to ``rate`` over all blocks of all stages."""
    total = sum(depths)
    rates = [rate * i / max(total - 1, 1) for i in range(total)]
    return [[rates.pop(0) for _ in range(depth)] for depth in depths]
