"""Matrix products by oneDNN, which PyTorch's convolution asks; its linear layer asks MKL.

oneDNN was up to 22 % faster at this model's sizes (docs/performance.md), but
it prepares itself some 2 ms for every new number of rows, and packed tokens
are another number in every step. Whole clouds and full parts of groups come
again and have round numbers of rows, so these go to oneDNN and the rest to
MKL: what a product gives depends on nothing that ran before it.
"""
import torch
import torch.nn.functional as F
from torch import Tensor

from ..grouping import ROUND_ROWS

# Up to this many channels, coordinates for one, oneDNN is slower.
_NARROW = 8


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``(..., D)`` float32: ``values`` (..., C) times ``weight`` (D, C) plus ``bias`` (D,), as ``F.linear``."""
    if not _takes_onednn(values):
        return F.linear(values, weight, bias)
    result = F.conv2d(_as_image(values), weight[:, :, None, None], bias)
    return result.permute(0, 2, 3, 1).reshape(*values.shape[:-1], len(weight))


def weight_gradient(left: Tensor, right: Tensor) -> Tensor:
    """``(C, D)`` float32: ``left`` (T, k, C), transposed, times ``right`` (T, k, D), summed over all rows."""
    if right.shape[-1] <= _NARROW:  # one long product with three columns runs at 5 GFLOP/s
        return torch.bmm(right.transpose(1, 2), left).sum(0).t()
    if not _takes_onednn(left):
        return left.flatten(0, 1).t() @ right.flatten(0, 1)
    # What the weight of a linear layer from `right` to `left` would get.
    weight = left.new_empty(left.shape[-1], right.shape[-1], 1, 1)
    return torch.ops.aten.convolution_backward(
        _as_image(left), _as_image(right), weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1,
        [False, True, False])[1].flatten(1)


def _takes_onednn(values: Tensor) -> bool:
    rows = values.numel() // values.shape[-1]
    return rows % ROUND_ROWS == 0 and values.shape[-1] > _NARROW


def _as_image(values: Tensor) -> Tensor:
    """Rows as the height of one picture with channels last, of which a 1x1 convolution is the product."""
    return values.reshape(1, -1, 1, values.shape[-1]).permute(0, 3, 1, 2)
