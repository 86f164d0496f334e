"""The hull of a cloud."""
from typing import NamedTuple

from torch import Tensor


class SceneExtent(NamedTuple):
    """The axis-aligned hull of each cloud; positions and sizes can be given relative to it.

    Attributes:
        minimum: ``(B, 3)`` lowest coordinates in metres.
        size: ``(B, 3)`` side lengths in metres, at least 0.1 so that a flat
            cloud does not divide by zero.
    """
    minimum: Tensor
    size: Tensor

    @classmethod
    def of(cls, points: Tensor) -> 'SceneExtent':
        """Extent of ``(B, N, 3)`` points."""
        minimum, maximum = points.float().aminmax(dim=1)
        return cls(minimum, (maximum - minimum).clamp(min=0.1))

    def normalize(self, positions: Tensor) -> Tensor:
        """``(..., B, M, 3)`` metres to shares of the extent, [0, 1] inside."""
        return (positions - self.minimum.unsqueeze(1)) / self.size.unsqueeze(1)
