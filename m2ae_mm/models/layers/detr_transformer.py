"""Pre-norm transformer layers of 3DETR (paper, section 3)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import attend


class MultiheadAttention(nn.Module):
    """Attention of queries on keys, with fused kernels.

    Args:
        dims: Token width, a multiple of ``num_heads``.
        num_heads: Attention heads.
        dropout: Dropout of the attention weights.
    """

    def __init__(self, dims: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        if dims % num_heads:
            raise ValueError(f'the token width must be a multiple of the heads, got {dims} and {num_heads}.')
        self.num_heads = num_heads
        self.dropout = dropout
        # One matrix for queries, keys and values: Xavier's bound is that of (3C, C).
        self.in_proj = nn.Linear(dims, 3 * dims)
        self.out_proj = nn.Linear(dims, dims)
        for layer in (self.in_proj, self.out_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            query: ``(B, M, C)``.
            key: ``(B, N, C)``.
            value: ``(B, N, C)``.
            left_out: Bool mask that broadcasts to ``(B, heads, M, N)``,
                ``True`` = the query (row) does not see the key (column).

        Returns:
            ``(B, M, C)``.
        """
        weights = self.in_proj.weight.chunk(3)
        biases = self.in_proj.bias.chunk(3)
        q, k, v = (
            F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for x, weight, bias in zip((query, key, value), weights, biases))
        x = attend(q, k, v, left_out, self.dropout if self.training else 0.)
        return self.out_proj(x.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Linear, ReLU, dropout, linear."""

    def __init__(self, dims: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dims, hidden)
        self.linear2 = nn.Linear(hidden, dims)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.linear1.weight)
        nn.init.xavier_uniform_(self.linear2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


class DETREncoderLayer(nn.Module):
    """Self-attention and feed-forward, each behind a LayerNorm; no position embedding.

    Args:
        dims: Token width.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the feed-forward part.
        dropout: Of attention weights, hidden units and both branches.
    """

    def __init__(self, dims: int, num_heads: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.self_attn = MultiheadAttention(dims, num_heads, dropout)
        self.norm2 = nn.LayerNorm(dims)
        self.feedforward = FeedForward(dims, feedforward_channels, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, left_out: Tensor | None = None) -> Tensor:
        """``(B, L, C)`` tokens; the mask as in :class:`MultiheadAttention`."""
        normed = self.norm1(x)
        x = x + self.dropout(self.self_attn(normed, normed, normed, left_out))
        return x + self.dropout(self.feedforward(self.norm2(x)))


class DETRDecoderLayer(nn.Module):
    """Self-attention of the queries, cross-attention on the memory, feed-forward.

    Positions are added to queries and keys, never to values.

    Args:
        dims: Token width.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the feed-forward part.
        dropout: Of attention weights, hidden units and all branches.
    """

    def __init__(self, dims: int, num_heads: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.self_attn = MultiheadAttention(dims, num_heads, dropout)
        self.norm2 = nn.LayerNorm(dims)
        self.cross_attn = MultiheadAttention(dims, num_heads, dropout)
        self.norm3 = nn.LayerNorm(dims)
        self.feedforward = FeedForward(dims, feedforward_channels, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, query_position: Tensor, memory: Tensor, key: Tensor) -> Tensor:
        """Refine the queries.

        Args:
            x: ``(B, Q, C)``.
            query_position: ``(B, Q, C)`` position embedding of the queries.
            memory: ``(B, M, C)`` encoded tokens.
            key: ``(B, M, C)`` ``memory`` plus its position embedding.

        Returns:
            ``(B, Q, C)``.
        """
        normed = self.norm1(x)
        placed = normed + query_position
        x = x + self.dropout(self.self_attn(placed, placed, normed))
        x = x + self.dropout(self.cross_attn(self.norm2(x) + query_position, key, memory))
        return x + self.dropout(self.feedforward(self.norm3(x)))


class DETRDecoder(nn.Module):
    """A stack of decoder layers whose outputs are all used.

    Args:
        num_layers: Layers L.
        dims: See :class:`DETRDecoderLayer`, as for the following.
        num_heads: Attention heads.
        feedforward_channels: Hidden width.
        dropout: Dropout.
    """

    def __init__(self, num_layers: int, dims: int, num_heads: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DETRDecoderLayer(dims, num_heads, feedforward_channels, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dims)

    def forward(self, query_position: Tensor, memory: Tensor, memory_position: Tensor) -> Tensor:
        """``(B, Q, C)`` and twice ``(B, M, C)`` to ``(L, B, Q, C)``; queries start at zero."""
        x = torch.zeros_like(query_position)
        key = memory + memory_position
        outputs = []
        for layer in self.layers:
            x = layer(x, query_position, memory, key)
            outputs.append(self.norm(x))
        return torch.stack(outputs)
