"""Matrix products by oneDNN.

PyTorch's linear layer asks MKL, its convolution asks oneDNN, which was up to
22 % faster at a mini-PointNet's sizes (docs/performance.md). oneDNN prepares
itself for every new number of rows, some milliseconds each: for calls of
repeated sizes only.
"""
import torch
import torch.nn.functional as F
from torch import Tensor


def linear(values: Tensor, weight: Tensor) -> Tensor:
    """``(..., D)`` float32: ``values`` (..., C) times ``weight`` (D, C), as ``F.linear`` without bias."""
    result = F.conv2d(_picture(values), weight[:, :, None, None])
    return result.permute(0, 2, 3, 1).reshape(*values.shape[:-1], len(weight))


def outer(left: Tensor, right: Tensor) -> Tensor:
    """``(C, D)`` float32: ``left`` (..., C), transposed, times ``right`` (..., D), summed over all rows."""
    # What the weight of a linear layer from `right` to `left` would get.
    weight = left.new_empty(left.shape[-1], right.shape[-1], 1, 1)
    return torch.ops.aten.convolution_backward(
        _picture(left), _picture(right), weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1,
        [False, True, False])[1].flatten(1)


def _picture(values: Tensor) -> Tensor:
    """Rows as the height of one picture with channels last, of which a 1x1 convolution is the product."""
    return values.reshape(1, -1, 1, values.shape[-1]).permute(0, 3, 1, 2)
