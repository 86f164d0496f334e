"""3DV-RPE: attention depends on where a token lies as seen from the vertices of a query's box (V-DETR paper)."""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from m2ae_mm.ops import cpu_kernels

# Signs of the half sizes, in the order of the published code.
_VERTICES = ((1, 1, -1), (1, -1, -1), (-1, -1, -1), (-1, 1, -1), (1, 1, 1), (1, -1, 1), (-1, -1, 1), (-1, 1, 1))
_CENTER = ((0, 0, 0), )
# Offsets along the axes are compressed: sign(d) log2(512 |d| + 1) / (log2(8) * 4), d in metres.
_LOG_SCALE = 512.
_LOG_RANGE = 3. * 4.
# The MLPs are evaluated on 10 nodes an axis, from -4 to 4.
_NODES = 10
_REACH = 4.
# Pairs of vertex and token whose offsets are in memory at once: about 50 MB.
_PAIRS_AT_ONCE = 1 << 22
# Copies of a table in which its gradient is summed: with one, the threads of a GPU would wait for each other.
_COPIES = 64


class VertexBias(nn.Module):
    """A bias of attention for each query and token, from the offsets between box and token.

    For every vertex an MLP gives a table over a grid of offsets, in which the
    pairs look up trilinearly; the values of the vertices are summed.

    Two peculiarities of the published code are kept, since its weights were
    trained with them. The nodes of a table, computed for offsets from -4 to 4,
    lie at (2 j + 1) / 10 - 1 in units of the compressed offset, so from 0.9 (3.5
    m) on the bias fades, and it is 0 from 1.1 (18.4 m) on. And the MLPs read
    the offset along z first, then y, then x.

    Args:
        num_heads: Attention heads.
        hidden: Hidden width of the MLPs.
        center_only: One offset, from the box's centre, instead of eight.
        in_box_frame: Turn the offsets into the frame of a rotated box.
    """

    def __init__(self,
                 num_heads: int,
                 hidden: int = 128,
                 center_only: bool = False,
                 in_box_frame: bool = False) -> None:
        super().__init__()
        signs = _CENTER if center_only else _VERTICES
        self.in_box_frame = in_box_frame
        self.register_buffer('signs', torch.tensor(signs, dtype=torch.float32), persistent=False)
        axis = torch.linspace(-_REACH, _REACH, _NODES)
        nodes = torch.stack(torch.meshgrid(axis, axis, axis, indexing='ij'), -1).view(-1, 3)
        self.register_buffer('nodes', nodes, persistent=False)
        # All vertices' MLPs, 3 -> hidden -> heads, side by side.
        self.weight1 = nn.Parameter(torch.empty(len(signs), hidden, 3))
        self.bias1 = nn.Parameter(torch.empty(len(signs), hidden))
        self.weight2 = nn.Parameter(torch.empty(len(signs), num_heads, hidden))
        for weight1, weight2 in zip(self.weight1, self.weight2):
            nn.init.xavier_uniform_(weight1)
            nn.init.xavier_uniform_(weight2)
        nn.init.uniform_(self.bias1, -3**-0.5, 3**-0.5)  # PyTorch's own of a linear layer with 3 inputs

    def tables(self) -> Tensor:
        """``(V, heads, 10, 10, 10)``, one for each vertex, over z, y and x."""
        hidden = F.relu(self.nodes @ self.weight1.transpose(1, 2) + self.bias1.unsqueeze(1))
        values = hidden @ self.weight2.transpose(1, 2)
        return values.transpose(1, 2).unflatten(-1, (_NODES, _NODES, _NODES))

    def forward(self, boxes: Tensor, xyz: Tensor) -> Tensor:
        """``(B, heads, Q, N)`` float32 from boxes ``(B, Q, 7)`` and tokens ``(B, N, 3)``, which get no gradient."""
        with torch.autocast(xyz.device.type, enabled=False):
            boxes, xyz = boxes.detach().float(), xyz.detach().float()
            kernels = cpu_kernels(xyz)
            if kernels is not None:
                return kernels.table_lookup.TableLookUp.apply(self.tables(), *self._levels(boxes), xyz, _LOG_SCALE,
                                                              _LOG_RANGE)
            return _LookUp.apply(self.tables(), self.signs, boxes, xyz, self.in_box_frame)

    def _levels(self, boxes: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Where the vertices are, for the CPU kernels: places along each axis, of each vertex, frame of the query.

        In the frame of its box a vertex has one of two places along each axis;
        in the scene's, of four along x and y, if boxes are turned.
        """
        in_box_frame = self.in_box_frame or not bool(boxes[..., 6].any())
        half = boxes[..., 3:6].unsqueeze(-1) / 2
        if len(self.signs) == 1:
            corners, vertices = boxes.new_zeros(*boxes.shape[:2], 3, 1), torch.zeros(1, 3, dtype=torch.long)
        elif in_box_frame:
            corners, vertices = half * half.new_tensor([1., -1.]), (self.signs < 0).long()
        else:
            corners = turn(self.signs[:4] * half.squeeze(-1).unsqueeze(2), boxes[..., 6:]).transpose(2, 3)
            corners = torch.cat([corners[..., :2, :], half[..., 2:, :] * self.signs[[0, 4, 0, 4], 2]], 2)
            vertices = torch.tensor([[i % 4, i % 4, i // 4] for i in range(8)])
        axis = torch.stack([boxes[..., 6].cos(), boxes[..., 6].sin()], -1)
        if not in_box_frame:
            axis = torch.ones_like(axis) * axis.new_tensor([1., 0.])
        frames = torch.cat([boxes[..., :3], axis], -1)
        return list(corners.contiguous().unbind(2)), vertices, frames


class _LookUp(torch.autograd.Function):
    """Sums of table values; the offsets are computed again for the gradient instead of being kept."""

    @staticmethod
    def forward(ctx, tables: Tensor, signs: Tensor, boxes: Tensor, xyz: Tensor, in_box_frame: bool) -> Tensor:
        ctx.save_for_backward(tables, signs, boxes, xyz)
        ctx.in_box_frame = in_box_frame
        parts = []
        for block in _blocks(signs, boxes, xyz):
            grid = _grid(signs, block, xyz, in_box_frame)
            values = F.grid_sample(tables, grid, align_corners=False)
            parts.append(values.sum(0).unflatten(1, block.shape[:2]).squeeze(-1).transpose(0, 1))
        return torch.cat(parts, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        tables, signs, boxes, xyz = ctx.saved_tensors
        result = torch.zeros_like(tables)
        blocks = _blocks(signs, boxes, xyz)
        for block, part in zip(blocks, gradient.split([block.shape[1] for block in blocks], 2)):
            grid = _grid(signs, block, xyz, ctx.in_box_frame)
            copies = math.gcd(grid.shape[1], _COPIES)
            part = part.transpose(0, 1).flatten(1, 2).unsqueeze(-1).expand(len(signs), -1, -1, -1, -1)
            part = part.unflatten(2, (copies, -1)).transpose(1, 2).flatten(0, 1)
            found, _ = torch.ops.aten.grid_sampler_3d_backward(
                part, tables.repeat_interleave(copies, 0), grid.unflatten(1, (copies, -1)).flatten(0, 1), 0, 0, False,
                [True, False])
            result += found.view(-1, copies, *found.shape[1:]).sum(1)
        return result, None, None, None, None


def _blocks(signs: Tensor, boxes: Tensor, xyz: Tensor) -> tuple[Tensor, ...]:
    """Queries whose offsets are computed together."""
    return boxes.split(max(_PAIRS_AT_ONCE // (len(signs) * xyz.shape[0] * xyz.shape[1]), 1), 1)


def _grid(signs: Tensor, boxes: Tensor, xyz: Tensor, in_box_frame: bool) -> Tensor:
    """Compressed offsets from tokens to vertices, ``(V, B * Q, N, 1, 3)``."""
    corners = signs.view(-1, 1, 1, 3) * boxes[..., 3:6] / 2
    if in_box_frame:
        tokens = to_box_frame(xyz, boxes)
    else:
        corners = boxes[..., :3] + turn(corners, boxes[..., 6])
        tokens = xyz.unsqueeze(1)
    offsets = corners.unsqueeze(3) - tokens
    compressed = offsets.abs().mul_(_LOG_SCALE).add_(1).log2_().div_(_LOG_RANGE).copysign_(offsets)
    return compressed.flatten(1, 2).unsqueeze(3)


def to_box_frame(points: Tensor, boxes: Tensor) -> Tensor:
    """Points ``(B, N, 3)`` as seen from boxes ``(B, Q, 7)``: ``(B, Q, N, 3)``, in metres from the centre."""
    offsets = points.unsqueeze(1) - boxes[..., :3].unsqueeze(2)
    return turn(offsets, -boxes[..., 6].unsqueeze(2))


def turn(vectors: Tensor, angles: Tensor) -> Tensor:
    """Vectors ``(..., 3)`` turned counter-clockwise about z by angles ``(...)``, which broadcast."""
    cos, sin = angles.cos(), angles.sin()
    x, y, z = vectors.unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos, z], -1)
