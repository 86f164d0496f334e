"""Point-M2AE in stock PyTorch, as one would first write it down from the paper: the benchmark's baseline.

Nothing of this project is used here. Sampling and masking loop in Python, all
groups are embedded although most are masked, visible tokens are packed cloud
by cloud, attention is written out. Parameters have the names of our model,
with 1x1 convolutions for its linear layers where the paper names them so, so
that its weights can be copied; equal weights give an equal loss.
"""
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainScale(NamedTuple):
    """Centres ``(B, M, 3)`` and their groups, ``(B, M, k)`` positions among the points of the scale below."""
    centers: Tensor
    neighbors: Tensor


def furthest_points(points: Tensor, count: int) -> Tensor:
    """``(B, count)`` positions of points ``(B, N, 3)``, each the furthest from those before; starts at 0."""
    batch, total, _ = points.shape
    rows = torch.arange(batch, device=points.device)
    picked = torch.zeros(batch, count, dtype=torch.long, device=points.device)
    distance = torch.full((batch, total), torch.inf, device=points.device)
    for i in range(1, count):
        last = points[rows, picked[:, i - 1]].unsqueeze(1)
        distance = torch.minimum(distance, (points - last).square().sum(-1))
        picked[:, i] = distance.argmax(1)
    return picked


def take(values: Tensor, indices: Tensor) -> Tensor:
    """``(B, ..., C)`` rows of ``(B, N, C)`` by ``(B, ...)`` indices."""
    rows = torch.arange(len(values), device=values.device).view(-1, *[1] * (indices.dim() - 1))
    return values[rows, indices]


# torch.compile would unroll the loop into a graph of every pick.
@torch.compiler.disable
def make_scales(points: Tensor, counts: Sequence[int], sizes: Sequence[int]) -> list[PlainScale]:
    """Scales of points ``(B, N, 3)``, fine to coarse: ``counts`` centres with groups of ``sizes`` points."""
    scales, below = [], points
    for count, k in zip(counts, sizes):
        centers = take(below, furthest_points(below, count))
        neighbors = torch.cdist(centers, below).topk(k, largest=False).indices
        scales.append(PlainScale(centers, neighbors))
        below = centers
    return scales


def mask_top(centers: Tensor, ratio: float) -> Tensor:
    """``(B, M)`` bool for centres ``(B, M, 3)``, ``True`` = masked: a random share of each cloud."""
    batch, count, _ = centers.shape
    masked = torch.zeros(batch, count, dtype=torch.bool, device=centers.device)
    for row in masked:
        row[torch.randperm(count, device=centers.device)[:int(ratio * count)]] = True
    return masked


def back_project(top: Tensor, scales: Sequence[PlainScale]) -> list[Tensor]:
    """``(B, N_i)`` masks, fine to coarse: a centre is visible if a visible coarser group holds it."""
    masks = [top]
    for fine, coarse in zip(scales[-2::-1], scales[:0:-1]):
        masked = torch.ones(fine.centers.shape[:2], dtype=torch.bool, device=top.device)
        for cloud in range(len(top)):
            masked[cloud, coarse.neighbors[cloud][~masks[0][cloud]].flatten()] = False
        masks.insert(0, masked)
    return masks


def pack(tokens: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
    """Visible tokens of ``(B, M, C)`` in front: ``(B, L, C)``, zeros behind, and ``(B, L)``, ``True`` = behind."""
    visible = [token[~mask] for token, mask in zip(tokens, masked)]
    length = max(len(token) for token in visible)
    packed = tokens.new_zeros(len(tokens), length, tokens.shape[-1])
    padded = torch.ones(len(tokens), length, dtype=torch.bool, device=tokens.device)
    for cloud, token in enumerate(visible):
        packed[cloud, :len(token)] = token
        padded[cloud, :len(token)] = False
    return packed, padded


def unpack(packed: Tensor, masked: Tensor) -> Tensor:
    """The reverse of :func:`pack`: ``(B, M, C)`` with zeros where masked."""
    tokens = packed.new_zeros(*masked.shape, packed.shape[-1])
    for cloud, mask in enumerate(masked):
        tokens[cloud, ~mask] = packed[cloud, :int((~mask).sum())]
    return tokens


class MiniPointNet(nn.Module):
    """Groups ``(B, M, k, in)`` to tokens ``(B, M, out)`` by 1x1 convolutions and two max-pools."""

    def __init__(self, channels: int, hidden: Sequence[int], out: int) -> None:
        super().__init__()
        self.lift, self.lift_norm = nn.Conv1d(channels, hidden[0], 1), nn.BatchNorm1d(hidden[0])
        self.local = nn.Conv1d(hidden[0], hidden[1], 1)
        self.join, self.join_norm = nn.Conv1d(2 * hidden[1], hidden[2], 1), nn.BatchNorm1d(hidden[2])
        self.out = nn.Conv1d(hidden[2], out, 1)

    def forward(self, groups: Tensor) -> Tensor:
        batch, count, k, _ = groups.shape
        x = groups.flatten(0, 1).transpose(1, 2)
        x = self.local(F.relu(self.lift_norm(self.lift(x))))
        x = torch.cat([x.max(2, keepdim=True).values.expand(-1, -1, k), x], 1)
        x = self.out(F.relu(self.join_norm(self.join(x))))
        return x.max(2).values.view(batch, count, -1)


class DropPath(nn.Module):
    """Leave a residual branch out, cloud by cloud, in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(len(x), 1, 1, device=x.device) >= self.rate
        return x * kept / (1 - self.rate)


class Attention(nn.Module):
    """Softmax attention among tokens ``(B, L, C)``; ``left_out`` broadcasts to ``(B, heads, L, L)``."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dims, 3 * dims, bias=False), nn.Linear(dims, dims)

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        batch, length, dims = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (dims // self.heads)**-0.5
        if left_out is not None:
            scores = scores.masked_fill(left_out, -torch.inf)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, dims))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, dims: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dims), Attention(dims, heads)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = nn.ModuleDict(dict(fc1=nn.Linear(dims, 4 * dims), fc2=nn.Linear(4 * dims, dims)))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), left_out))
        return x + self.drop_path(self.mlp['fc2'](F.gelu(self.mlp['fc1'](self.norm2(x)))))


class Stage(nn.Module):
    """Blocks; the embedded centres are added to the input of each."""

    def __init__(self, dims: int, heads: int, rates: Sequence[float]) -> None:
        super().__init__()
        self.position = nn.Sequential(nn.Linear(3, dims), nn.GELU(), nn.Linear(dims, dims))
        self.blocks = nn.ModuleList(Block(dims, heads, rate) for rate in rates)

    def forward(self, x: Tensor, centers: Tensor, left_out: Tensor | None = None) -> Tensor:
        position = self.position(centers)
        for block in self.blocks:
            x = block(x + position, left_out)
        return x


def make_stages(widths: Sequence[int], depths: Sequence[int], heads: int, rate: float) -> nn.ModuleList:
    """One stage a width; stochastic depth rises from 0 to ``rate`` over all blocks."""
    rates = iter(torch.linspace(0, rate, sum(depths)).tolist())
    return nn.ModuleList(Stage(dims, heads, [next(rates) for _ in range(depth)]) for dims, depth in zip(widths, depths))


class Encoder(nn.Module):
    """Hierarchical encoder (paper section 3.3).

    Args:
        sizes: ``backbone`` entry of our config: ``num_centers``,
            ``num_neighbors``, ``embed_dims``, ``depths``, ``num_heads``,
            ``radii`` (None = global), ``drop_path_rate``, and perhaps
            ``stage_norm`` and ``point_hidden``.
    """

    def __init__(self, sizes: dict) -> None:
        super().__init__()
        dims = sizes['embed_dims']
        self.counts, self.sizes, self.radii = sizes['num_centers'], sizes['num_neighbors'], sizes['radii']
        points = MiniPointNet(3, sizes.get('point_hidden', (128, 256, 512)), dims[0])
        merges = [MiniPointNet(fine, (fine, fine, coarse), coarse) for fine, coarse in zip(dims[:-1], dims[1:])]
        self.embeddings = nn.ModuleList([points, *merges])
        self.stages = make_stages(dims, sizes['depths'], sizes['num_heads'], sizes['drop_path_rate'])
        norm = nn.LayerNorm if sizes.get('stage_norm', True) else nn.Identity
        self.norms = nn.ModuleList(norm(width) for width in dims)

    def forward(self, points: Tensor, scales: Sequence[PlainScale], masks: Sequence[Tensor] | None) -> list[Tensor]:
        """``(B, N_i, C_i)`` a scale, zeros where masked (``(B, N_i)`` bool, ``True`` = masked; None masks nothing)."""
        features, tokens = [], None
        for i, (centers, neighbors) in enumerate(scales):
            groups = take(points, neighbors) - centers.unsqueeze(2) if i == 0 else take(tokens, neighbors)
            tokens = self.embeddings[i](groups)
            if masks is None:
                tokens = self.stages[i](tokens, centers, self.too_far(i, centers))
                features.append(self.norms[i](tokens))
                continue
            packed, padded = pack(tokens, masks[i])
            packed = self.stages[i](packed, pack(centers, masks[i])[0], padded[:, None, None, :])
            tokens = unpack(packed, masks[i])
            features.append(unpack(self.norms[i](packed), masks[i]))
        return features

    def too_far(self, i: int, centers: Tensor) -> Tensor | None:
        """``(B, 1, N_i, N_i)`` pairs that local attention leaves out; None without radii."""
        return None if self.radii is None else (torch.cdist(centers, centers) >= self.radii[i]).unsqueeze(1)
