"""Matrix products by oneDNN.

PyTorch's linear layer asks MKL, its convolution asks oneDNN, which was 7 to
22 % faster at a mini-PointNet's sizes (docs/performance.md). oneDNN prepares
itself for every new number of rows, some milliseconds each: for calls of
repeated sizes only.
"""
import torch.nn.functional as F
from torch import Tensor


def linear(values: Tensor, weight: Tensor) -> Tensor:
    """``(..., D)`` float32: ``values`` (..., C) times ``weight`` (D, C), as ``F.linear`` without bias."""
    # Rows as the height of one picture with channels last: a 1x1 convolution is the product.
    picture = values.reshape(1, -1, 1, values.shape[-1]).permute(0, 3, 1, 2)
    result = F.conv2d(picture, weight[:, :, None, None])
    return result.permute(0, 2, 3, 1).reshape(*values.shape[:-1], len(weight))
