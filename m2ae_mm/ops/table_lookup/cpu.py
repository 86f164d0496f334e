"""Trilinear look-up of offsets in tables, as 3DV-RPE needs it."""
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..jit import reordering_kernel
from ..threads import for_each_part

# Heads that are computed together.
_GROUP = 4


class TableLookUp(torch.autograd.Function):
    """Sums over vertices of what their tables hold for the offsets to tokens.

    Nothing the size of pairs is kept for the gradient, which goes to the tables only.
    """

    @staticmethod
    def forward(ctx, tables: Tensor, levels: list[Tensor], vertices: Tensor, frames: Tensor, xyz: Tensor, scale: float,
                span: float) -> Tensor:
        """Look up.

        Args:
            tables: ``(V, heads, R, R, R)`` float32 over z, y and x, see :class:`VertexBias`.
            levels: Along x, y and z: ``(B, Q, n)``, the places that vertices have, in metres.
            vertices: ``(V, 3)`` int64, which level along x, y and z each vertex has.
            frames: ``(B, Q, 5)`` origin and axis (cosine, sine) of the frame in which ``levels`` are.
            xyz: ``(B, N, 3)`` tokens.
            scale: Offsets d become sign(d) log2(scale |d| + 1) / span.
            span: See there.

        Returns:
            ``(B, heads, Q, N)``.
        """
        # In groups of heads side by side, within a border of zeros.
        heads = tables.shape[1]
        padded = F.pad(tables.permute(0, 2, 3, 4, 1), (0, -heads % _GROUP, 1, 1, 1, 1, 1, 1))
        padded = padded.unflatten(-1, (-1, _GROUP)).permute(0, 4, 1, 2, 3, 5)
        batch, queries = frames.shape[:2]
        geometry = (*(level.flatten(0, 1).numpy() for level in levels), vertices.numpy(), frames.flatten(0, 1).numpy(),
                    xyz.contiguous().numpy(), np.float32(scale), np.float32(1 / span))
        output = torch.empty(batch, heads, queries, xyz.shape[1])
        values, found = padded.contiguous().numpy(), output.numpy()
        for_each_part(lambda start, stop: _look_up(values, *geometry, found, start, stop), batch * queries)
        ctx.geometry, ctx.shape, ctx.heads = geometry, padded.shape, heads
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        """The gradient of the tables."""
        given = gradient.contiguous().numpy()

        def part(start: int, stop: int) -> np.ndarray:
            result = np.zeros(ctx.shape, np.float32)
            _look_up_backward(result, *ctx.geometry, given, start, stop)
            return result

        parts = for_each_part(part, given.shape[0] * given.shape[2])
        total = torch.from_numpy(np.sum(parts, 0) if len(parts) > 1 else parts[0])
        total = total[:, :, 1:-1, 1:-1, 1:-1].permute(0, 1, 5, 2, 3, 4).flatten(1, 2)
        return total[:, :ctx.heads], *[None] * 6


@reordering_kernel
def _grid_places(levels, at, nodes, scale, inverse, first, share):
    """Of every level (row) and token: the node below the offset (the border is 0) and the distance from that node."""
    numbers = np.empty(len(at), np.float32)
    bits = numbers.view(np.int32)
    for level in range(len(levels)):
        for n in range(len(at)):
            numbers[n] = scale * np.abs(levels[level] - at[n]) + np.float32(1)
        for n in range(len(at)):
            # log2 by hand, which becomes vectors: exponent, and the series of a mantissa within sqrt(1/2) and sqrt(2).
            exponent = (bits[n] - 0x3f3504f3) >> 23
            bits[n] -= exponent << 23
            s = (numbers[n] - np.float32(1)) / (numbers[n] + np.float32(1))
            q = s * s
            series = np.float32(1) + q * (np.float32(1 / 3) + q * (np.float32(0.2) + q * (
                np.float32(1 / 7) + q * np.float32(1 / 9))))
            size = (np.float32(exponent) + s * series * np.float32(2 / 0.6931471805599453)) * inverse
            size = size if levels[level] > at[n] else -size
            place = (size + np.float32(1)) * np.float32(0.5 * nodes) + np.float32(0.5)
            # Beyond the border everything is 0, as it is on the border.
            place = min(max(place, np.float32(0)), np.float32(nodes + 1))
            node = min(np.int32(place), np.int32(nodes))
            first[level, n] = node
            share[level, n] = place - np.float32(node)


@reordering_kernel
def _to_frame(xyz, frame, x, y, z):
    """Tokens (N, 3) as seen from a frame."""
    cos, sin = frame[3], frame[4]
    for n in range(len(xyz)):
        dx, dy = xyz[n, 0] - frame[0], xyz[n, 1] - frame[1]
        x[n], y[n], z[n] = dx * cos + dy * sin, dy * cos - dx * sin, xyz[n, 2] - frame[2]


@reordering_kernel
def _look_up(tables, levels_x, levels_y, levels_z, vertices, frames, xyz, scale, inverse, output, start, stop):
    """Fill ``output`` (B, H, Q, N) for the queries ``start`` to ``stop`` of all clouds."""
    groups, side, queries = tables.shape[1], tables.shape[2], output.shape[2]
    heads, flat, num_levels = output.shape[1], tables.reshape(-1), levels_x.shape[1]
    count = xyz.shape[1]
    x, y, z = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    first, share = np.empty((3, 4, count), np.int32), np.empty((3, 4, count), np.float32)
    first_x, first_y, first_z = first[0], first[1], first[2]
    share_x, share_y, share_z = share[0], share[1], share[2]
    pairs = np.empty((num_levels, 2 * _GROUP), np.float32)
    for row in range(start, stop):
        cloud, query = row // queries, row % queries
        _to_frame(xyz[cloud], frames[row], x, y, z)
        _grid_places(levels_x[row], x, side - 2, scale, inverse, first_x, share_x)
        _grid_places(levels_y[row], y, side - 2, scale, inverse, first_y, share_y)
        _grid_places(levels_z[row], z, side - 2, scale, inverse, first_z, share_z)
        for n in range(count):
            for group in range(groups):
                pairs[:] = 0
                for v in range(len(vertices)):
                    level = vertices[v, 0]
                    b, c = share_y[vertices[v, 1], n], share_z[vertices[v, 2], n]
                    w00, w01 = (np.float32(1) - c) * (np.float32(1) - b), (np.float32(1) - c) * b
                    w10, w11 = c * (np.float32(1) - b), c * b
                    at = ((v * groups + group) * side + first_z[vertices[v, 2], n]) * side + first_y[vertices[v, 1], n]
                    at = (at * side + first_x[level, n]) * _GROUP
                    up, on = side * _GROUP, side * side * _GROUP
                    for m in range(2 * _GROUP):  # of two nodes along x
                        pairs[level, m] += (w00 * flat[at + m] + w01 * flat[at + up + m] + w10 * flat[at + on + m] +
                                            w11 * flat[at + on + up + m])
                for h in range(group * _GROUP, min((group + 1) * _GROUP, heads)):
                    total, m = np.float32(0), h - group * _GROUP
                    for level in range(num_levels):
                        total += pairs[level, m] + share_x[level, n] * (pairs[level, m + _GROUP] - pairs[level, m])
                    output[cloud, h, query, n] = total


@reordering_kernel
def _look_up_backward(tables, levels_x, levels_y, levels_z, vertices, frames, xyz, scale, inverse, gradient, start,
                      stop):
    """Add to ``tables`` their gradient, from ``gradient`` (B, H, Q, N) of the output."""
    groups, side, queries = tables.shape[1], tables.shape[2], gradient.shape[2]
    heads, flat, num_levels = gradient.shape[1], tables.reshape(-1), levels_x.shape[1]
    count = xyz.shape[1]
    x, y, z = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    first, share = np.empty((3, 4, count), np.int32), np.empty((3, 4, count), np.float32)
    first_x, first_y, first_z = first[0], first[1], first[2]
    share_x, share_y, share_z = share[0], share[1], share[2]
    pairs = np.zeros((num_levels, 2 * _GROUP), np.float32)
    for row in range(start, stop):
        cloud, query = row // queries, row % queries
        _to_frame(xyz[cloud], frames[row], x, y, z)
        _grid_places(levels_x[row], x, side - 2, scale, inverse, first_x, share_x)
        _grid_places(levels_y[row], y, side - 2, scale, inverse, first_y, share_y)
        _grid_places(levels_z[row], z, side - 2, scale, inverse, first_z, share_z)
        for n in range(count):
            for group in range(groups):
                for h in range(group * _GROUP, min((group + 1) * _GROUP, heads)):
                    given, m = gradient[cloud, h, query, n], h - group * _GROUP
                    for level in range(num_levels):
                        pairs[level, m + _GROUP] = given * share_x[level, n]
                        pairs[level, m] = given - pairs[level, m + _GROUP]
                for v in range(len(vertices)):
                    level = vertices[v, 0]
                    b, c = share_y[vertices[v, 1], n], share_z[vertices[v, 2], n]
                    w00, w01 = (np.float32(1) - c) * (np.float32(1) - b), (np.float32(1) - c) * b
                    w10, w11 = c * (np.float32(1) - b), c * b
                    at = ((v * groups + group) * side + first_z[vertices[v, 2], n]) * side + first_y[vertices[v, 1], n]
                    at = (at * side + first_x[level, n]) * _GROUP
                    up, on = side * _GROUP, side * side * _GROUP
                    for m in range(2 * _GROUP):
                        flat[at + m] += w00 * pairs[level, m]
                    for m in range(2 * _GROUP):
                        flat[at + up + m] += w01 * pairs[level, m]
                    for m in range(2 * _GROUP):
                        flat[at + on + m] += w10 * pairs[level, m]
                    for m in range(2 * _GROUP):
                        flat[at + on + up + m] += w11 * pairs[level, m]
