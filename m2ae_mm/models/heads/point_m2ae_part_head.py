"""Part segmentation from the tokens of all scales (paper section 4.2)."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.ops import interpolate
from mmdet3d.registry import MODELS

from ..layers.initialization import PretrainableModule
from ..layers.scales_and_masks import Scale
from ..layers.token_layers import PointwiseNorm, check_rows


class PointPropagation(nn.Module):
    """Tokens of one scale to all input points: interpolate, join coordinates, shared MLP.

    Args:
        in_channels: Token width.
        out_channels: Widths of the MLP.
    """

    def __init__(self, in_channels: int, out_channels: Sequence[int]) -> None:
        super().__init__()
        widths = [3 + in_channels, *out_channels]
        self.layers = nn.ModuleList(PointwiseNorm(a, b) for a, b in zip(widths[:-1], widths[1:]))

    def forward(self, points: Tensor, centers: Tensor, tokens: Tensor) -> Tensor:
        """``(B, M, C)`` tokens at ``(B, M, 3)`` centres to ``(B, N, out)`` at ``(B, N, 3)`` points."""
        x = torch.cat([points.to(tokens.dtype), interpolate(points, centers, tokens)], -1)
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class CategoryEmbedding(nn.Module):
    """One-hot category, linear, BatchNorm, leaky ReLU 0.2."""

    def __init__(self, num_categories: int, channels: int) -> None:
        super().__init__()
        self.num_categories = num_categories
        self.linear = nn.Linear(num_categories, channels, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, category: Tensor) -> Tensor:
        """``(B,)`` int64 to ``(B, channels)``; in training, ``ValueError`` for a batch of one shape."""
        check_rows(self.norm, len(category))
        one_hot = F.one_hot(category, self.num_categories).to(self.linear.weight.dtype)
        return F.leaky_relu(self.norm(self.linear(one_hot)), 0.2)


@MODELS.register_module()
class PointM2AEPartHead(PretrainableModule):
    """Propagates every scale to all points and classifies each point.

    A point is classified by the propagated tokens of all scales, the sum
    of their maximum and mean over the cloud, and an embedding of the object category.

    Args:
        num_parts: Part labels of all categories together.
        num_categories: Object categories.
        in_channels: Token widths of the encoder.
        propagated: Widths of the MLP of each propagation.
        hidden: Widths of the classifying MLP.
        category_channels: Width of the category embedding.
        dropout: After the first layer of the classifying MLP.
        linear: Nothing but one linear layer learns: it gets the tokens of all scales, normalised and interpolated at
            the point, and the category. Widths are not used then.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 num_parts: int = 50,
                 num_categories: int = 16,
                 in_channels: Sequence[int] = (96, 192, 384),
                 propagated: Sequence[int] = (1536, 1024),
                 hidden: Sequence[int] = (1024, 512, 256),
                 category_channels: int = 64,
                 dropout: float = 0.5,
                 linear: bool = False,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.num_categories, self.linear = num_categories, linear
        if linear:
            self.classify = nn.Linear(sum(in_channels) + num_categories, num_parts)
            return
        self.propagations = nn.ModuleList(PointPropagation(channels, propagated) for channels in in_channels)
        self.embed_category = CategoryEmbedding(num_categories, category_channels)
        width = len(in_channels) * propagated[-1]
        self.fuse = PointwiseNorm(2 * width + category_channels, hidden[0])
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.ModuleList(PointwiseNorm(a, b) for a, b in zip(hidden[:-1], hidden[1:]))
        self.classify = nn.Linear(hidden[-1], num_parts)

    def forward(self, points: Tensor, scales: Sequence[Scale], features: Sequence[Tensor], category: Tensor) -> Tensor:
        """Classify every point.

        Args:
            points: ``(B, N, 3)``.
            scales: Their scales, fine to coarse.
            features: ``(B, N_i, C_i)`` tokens of every scale.
            category: ``(B,)`` int64.

        Returns:
            ``(B, N, num_parts)`` logits.
        """
        if self.linear:
            local = [interpolate(points, scale.centers, F.layer_norm(tokens, tokens.shape[-1:]))
                     for scale, tokens in zip(scales, features)]
            one_hot = F.one_hot(category, self.num_categories).to(local[0].dtype)
            return self.classify(torch.cat([*local, one_hot.unsqueeze(1).expand(-1, points.shape[1], -1)], -1))
        local = torch.cat([
            propagate(points, scale.centers, tokens)
            for propagate, scale, tokens in zip(self.propagations, scales, features)
        ], -1)
        cloud = torch.cat([local.amax(1) + local.mean(1), self.embed_category(category)], -1)
        x = self.dropout(F.relu(self._fuse(local, cloud)))
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.classify(x)

    def _fuse(self, local: Tensor, cloud: Tensor) -> Tensor:
        """Apply ``fuse`` to the features of the cloud joined with those of each point.

        The cloud's half of the product is the same for all points and computed once.
        """
        linear, width = self.fuse.linear, cloud.shape[-1]
        shared = F.linear(cloud, linear.weight[:, :width], linear.bias)
        x = F.linear(local, linear.weight[:, width:]) + shared.unsqueeze(1)
        return self.fuse.norm(x.flatten(0, 1)).view(x.shape)

    def loss(self, logits: Tensor, parts: Tensor) -> dict[str, Tensor]:
        """Cross entropy of logits ``(B, N, num_parts)`` and parts ``(B, N)``, and the accuracy in percent."""
        loss = F.cross_entropy(logits.float().flatten(0, 1), parts.flatten())
        return dict(loss_part=loss, accuracy=(logits.argmax(-1) == parts).float().mean() * 100)
