"""Set abstraction of PointNet++: one token from each ball of points.

3DETR uses it twice: as pre-encoder and, in the masked variant, between the
first and second encoder layer (3DETR paper, section 3).
"""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import ball_query, furthest_point_sample, gather, max_over_members

from .exactness import are_exactly
from .scales_and_masks import Scale
from .token_layers import TokenLayer


class SetAbstraction(nn.Module):
    """Sample centres, group a ball around each, embed and max-pool the group.

    A member enters as its offset from the centre divided by the radius,
    followed by its features.

    Args:
        in_channels: Features of a point besides its coordinates, may be 0.
        channels: Widths of the shared MLP; the last is the token width.
        num_points: Centres, by furthest point sampling.
        radius: Ball radius in the unit of the points.
        num_samples: Members per ball; the first in index order, padded with the first.
    """

    def __init__(self, in_channels: int, channels: Sequence[int], num_points: int, radius: float,
                 num_samples: int) -> None:
        super().__init__()
        self.num_points = num_points
        self.radius = radius
        self.num_samples = num_samples
        widths = [3 + in_channels, *channels]
        self.layers = nn.ModuleList(TokenLayer(*pair) for pair in zip(widths[:-1], widths[1:]))
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.linear.weight)

    def build_scale(self, points: Tensor, indices: Tensor | None = None) -> Scale:
        """Centres and balls.

        Args:
            points: ``(B, N, 3)`` coordinates of the scale below.
            indices: ``(B, N)`` their positions among the input points; None
                if they are the input points.
        """
        picked = furthest_point_sample(points, self.num_points)
        centers = gather(points, picked)
        neighbors = ball_query(centers, points, self.radius, self.num_samples)
        return Scale(centers, picked if indices is None else indices.gather(1, picked), neighbors)

    def forward(self, points: Tensor, features: Tensor, scale: Scale, masked: Tensor | None = None) -> Tensor:
        """Embed the groups of the visible centres.

        Args:
            points: ``(B, N, 3)`` coordinates of the scale below.
            features: ``(B, N, in_channels)``.
            scale: What :meth:`build_scale` returned for these points.
            masked: ``(B, M)`` bool, ``True`` = masked; None shows all.

        Returns:
            ``(B, M, channels[-1])``, zeros at masked centres.
        """
        batch, count, _ = points.shape
        first = torch.arange(batch, device=points.device).view(-1, 1, 1) * count
        neighbors = scale.neighbors + first
        points, features = points.flatten(0, 1), features.flatten(0, 1)
        if masked is None:
            tokens = self._embed(points, features, neighbors.flatten(0, 1), scale.centers.flatten(0, 1))
            return tokens.view(*scale.centers.shape[:2], -1)
        visible = ~masked
        embedded = self._embed(points, features, neighbors[visible], scale.centers[visible])
        tokens = embedded.new_zeros(*masked.shape, embedded.shape[-1])
        tokens[visible] = embedded
        return tokens

    def _embed(self, points: Tensor, features: Tensor, neighbors: Tensor, centers: Tensor) -> Tensor:
        """``(T, k)`` neighbours among ``(P, 3)`` points with ``(P, C)`` features to ``(T, channels[-1])``."""
        count, k = neighbors.shape
        flat = neighbors.flatten()
        offsets = (points.index_select(0, flat).view(count, k, 3) - centers.unsqueeze(1)) / self.radius
        first = self.layers[0]
        if not are_exactly(TokenLayer, first) or not first.is_as_built():
            x = first(torch.cat([offsets, features.index_select(0, flat).view(count, k, -1)], -1))
        else:
            weight, bias = first.affine()
            x = F.linear(offsets, weight[:, :3], bias)
            if features.shape[-1]:
                # A point's features are the same in every group it belongs to:
                # multiplied once per point, then gathered.
                x = x + F.linear(features, weight[:, 3:]).index_select(0, flat).view(count, k, -1)
            x = first.finish(x)
        for layer in self.layers[1:]:
            x = layer(x)
        return max_over_members(x)
