"""What the points in and around a box look like from the box. Not in a paper; in the spirit of RoI pooling."""
import torch
from torch import Tensor, nn

from m2ae_mm.ops import count_in_grids

# The grids extend beyond the box by a quarter of its size on either side, and at least by this many metres: a thin
# box has to see what it stands against.
_MARGIN = 0.25
_LEAST_MARGIN = 0.15
# Cells along each axis for the shape, slices along one axis at a time for where it ends.
_CELLS = 6
_SLICES = 16


class BoxPoints(nn.Module):
    """Reads the points of the cloud in grids over boxes: an MLP of the logarithm of their number in every cell.

    Tokens are few and coarse; this is where a query sees the surface that its
    box should fit. Neither boxes nor points get a gradient.

    Args:
        dims: Width of the result.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(_CELLS**3 + 3 * _SLICES, dims), nn.ReLU(), nn.Linear(dims, dims))

    def forward(self, boxes: Tensor, points: Tensor) -> Tensor:
        """``(B, Q, dims)`` from boxes ``(B, Q, 7)`` and points ``(B, N, 3)``, both in metres."""
        return self.mlp(self.counts(boxes, points))

    @staticmethod
    def counts(boxes: Tensor, points: Tensor) -> Tensor:
        """``(B, Q, 264)`` float32: ln(1 + points) of the cells, then of the slices."""
        boxes = boxes.detach().float()
        size = boxes[..., 3:6] + 2 * (boxes[..., 3:6] * _MARGIN).clamp(min=_LEAST_MARGIN)
        grids = torch.cat([boxes[..., :3], size, boxes[..., 6:]], -1)
        return count_in_grids(points, grids, _CELLS, _SLICES).float().log1p()
