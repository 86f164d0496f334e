"""Decoder layers of V-DETR (paper, section 3): queries with boxes attend to tokens with positions."""
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import attend
from .box_points import BoxPoints
from .detr_transformer import FeedForward, MultiheadAttention
from .token_layers import TokenLayer
from .vertex_bias import VertexBias, to_box_frame

# Offsets of position reading are divided by sizes of at least this, in metres.
_SMALLEST = 0.2


class Memory(NamedTuple):
    """What the queries attend to.

    Attributes:
        values: ``(B, N, C)`` projected tokens.
        keys: ``(B, N, C)`` the same, perhaps with an embedding of their positions.
        xyz: ``(B, N, 3)`` their positions in metres.
        points: ``(B, P, 3)`` the cloud that they stand for.
    """
    values: Tensor
    keys: Tensor
    xyz: Tensor
    points: Tensor


class BoxCrossAttention(nn.Module):
    """Attention of queries with boxes: all heads share one key and one value.

    Args:
        dims: Token width, a multiple of ``num_heads``.
        num_heads: Attention heads.
        dropout: Of the attention weights.
        bias: Gives what is added before the softmax; None for nothing.
        read_positions: Also return where the tokens attended to lie as seen
            from the box, see :func:`positions_in_boxes`, through a linear layer.
    """

    def __init__(self, dims: int, num_heads: int, dropout: float, bias: VertexBias | None,
                 read_positions: bool) -> None:
        super().__init__()
        if dims % num_heads:
            raise ValueError(f'the token width must be a multiple of the heads, got {dims} and {num_heads}.')
        self.num_heads = num_heads
        self.q = nn.Linear(dims, dims)
        self.k = nn.Linear(dims, dims // num_heads)
        self.v = nn.Linear(dims, dims // num_heads)
        self.out_proj = nn.Linear(dims, dims)
        self.bias = bias
        self.position_proj = nn.Linear(num_heads * 12, dims, bias=False) if read_positions else None
        self.dropout = nn.Dropout(dropout)
        for layer in (self.q, self.k, self.v, self.out_proj, self.position_proj):
            if layer is not None:
                nn.init.xavier_uniform_(layer.weight)

    def forward(self, query: Tensor, boxes: Tensor, memory: Memory) -> Tensor:
        """Attend.

        Args:
            query: ``(B, Q, C)``.
            boxes: ``(B, Q, 7)`` of the queries.
            memory: N tokens.

        Returns:
            ``(B, Q, C)``.
        """
        q = self.q(query).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        k, v = self.k(memory.keys), self.v(memory.values)
        bias = None if self.bias is None else self.bias(boxes, memory.xyz)
        if self.position_proj is None:
            k, v = (x.unsqueeze(1).expand(-1, self.num_heads, -1, -1) for x in (k, v))
            x = attend(q, k, v, None, self.dropout.p if self.training else 0., bias)
            return self.out_proj(x.transpose(1, 2).flatten(2))
        products = (q.flatten(1, 2) * q.shape[-1]**-0.5) @ k.transpose(1, 2)
        products = products.view(*q.shape[:3], -1)
        weights = self.dropout((products if bias is None else products + bias).softmax(-1))
        x = (weights.flatten(1, 2) @ v).view_as(q)
        positions = positions_in_boxes(memory.xyz, boxes).to(weights.dtype)
        read = weights.transpose(1, 2) @ positions
        return self.out_proj(x.transpose(1, 2).flatten(2)) + self.position_proj(read.flatten(2))


@torch.no_grad()
def positions_in_boxes(xyz: Tensor, boxes: Tensor) -> Tensor:
    """Where tokens ``(B, N, 3)`` lie in the frames of boxes ``(B, Q, 7)``.

    Returns:
        ``(B, Q, N, 12)`` float32, along each axis of the box: offset from the
        centre over the size, distances to the two faces, square of the offset.
    """
    with torch.autocast(xyz.device.type, enabled=False):
        boxes = boxes.float()
        offsets = to_box_frame(xyz.float(), boxes) / boxes[..., 3:6].clamp(min=_SMALLEST).unsqueeze(2)
        return torch.cat([offsets, (offsets - 0.5).abs(), (offsets + 0.5).abs(), offsets.square()], -1)


class VDETRDecoderLayer(nn.Module):
    """Self-attention of the queries, cross-attention on the tokens, feed-forward, each behind a LayerNorm.

    The position of a query is an MLP of its box; it is added to queries and
    keys of the self-attention and to the queries of the cross-attention.

    Args:
        dims: Token width.
        num_heads: Attention heads.
        feedforward_channels: Hidden width of the feed-forward part.
        dropout: Of attention weights, hidden units and all branches.
        bias: See :class:`BoxCrossAttention`.
        read_positions: See :class:`BoxCrossAttention`.
        read_points: Add what :class:`BoxPoints` sees in the queries' boxes before the cross-attention.
    """

    def __init__(self, dims: int, num_heads: int, feedforward_channels: int, dropout: float, bias: VertexBias | None,
                 read_positions: bool, read_points: bool) -> None:
        super().__init__()
        self.position = nn.Sequential(TokenLayer(6, dims), nn.Linear(dims, dims))
        self.norm1 = nn.LayerNorm(dims)
        self.self_attn = MultiheadAttention(dims, num_heads, dropout)
        self.norm2 = nn.LayerNorm(dims)
        self.cross_attn = BoxCrossAttention(dims, num_heads, dropout, bias, read_positions)
        self.box_points = BoxPoints(dims) if read_points else None
        self.norm3 = nn.LayerNorm(dims)
        self.feedforward = FeedForward(dims, feedforward_channels, dropout)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.position[0].linear, self.position[1]):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Tensor, boxes: Tensor, memory: Memory, embedded: Tensor | None = None) -> Tensor:
        """Refine the queries.

        Args:
            x: ``(B, Q, C)``.
            boxes: ``(B, Q, 7)`` their boxes so far, in metres.
            memory: The tokens.
            embedded: ``(B, Q, C)``, an embedding of the boxes' centres like that in the keys, added to the position.

        Returns:
            ``(B, Q, C)``.
        """
        position = self.position(boxes[..., :6])
        if embedded is not None:
            position = position + embedded
        normed = self.norm1(x)
        placed = normed + position
        x = x + self.dropout(self.self_attn(placed, placed, normed))
        if self.box_points is not None:
            x = x + self.box_points(boxes, memory.points)
        x = x + self.dropout(self.cross_attn(self.norm2(x) + position, boxes, memory))
        return x + self.dropout(self.feedforward(self.norm3(x)))


class VDETRFirstLayer(nn.Module):
    """The light layer that proposes a box for every token: feed-forward on a norm, which the sum starts from, too.

    Args:
        dims: Token width.
        feedforward_channels: Hidden width.
        dropout: Of hidden units and the branch.
    """

    def __init__(self, dims: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dims)
        self.feedforward = FeedForward(dims, feedforward_channels, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, C)`` to ``(B, N, C)``."""
        normed = self.norm(x)
        return normed + self.dropout(self.feedforward(normed))
