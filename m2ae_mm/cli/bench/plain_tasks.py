"""The tasks of the benchmark's baseline: pre-training and classification with the plain encoder."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .plain_point_m2ae import Encoder, PlainScale, back_project, make_scales, make_stages, mask_top, take


class Pointwise(nn.Module):
    """1x1 convolution and BatchNorm on ``(B, C, N)``."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Conv1d(channels, out, 1), nn.BatchNorm1d(out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


class Residual(nn.Module):
    """Two 1x1 convolutions around a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Pointwise(channels, channels), Pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.second(F.gelu(self.first(x))))


class Propagation(nn.Module):
    """Coarse tokens at finer centres (paper section 3.4)."""

    def __init__(self, coarse: int, skip: int, out: int) -> None:
        super().__init__()
        self.fuse, self.blocks = Pointwise(coarse + skip, out), nn.Sequential(Residual(out))

    def forward(self, fine: Tensor, coarse: Tensor, skip: Tensor, tokens: Tensor) -> Tensor:
        """``(B, N, out)`` at ``fine`` (B, N, 3) from ``tokens`` at ``coarse`` (B, M, 3) and ``skip`` (B, N, C)."""
        distance, nearest = torch.cdist(fine, coarse).topk(3, largest=False)
        weight = 1 / (distance.square() + 1e-8)
        weight = weight / weight.sum(-1, keepdim=True)
        x = (take(tokens, nearest) * weight.unsqueeze(-1)).sum(2)
        x = torch.cat([skip, x], -1).transpose(1, 2)
        return self.blocks(F.gelu(self.fuse(x))).transpose(1, 2)


class Decoder(nn.Module):
    """Hierarchical decoder (paper section 3.4).

    Args:
        sizes: ``neck`` entry of our config: ``encoder_dims``, ``embed_dims``,
            ``depths``, ``num_heads``, ``drop_path_rate``.
    """

    def __init__(self, sizes: dict) -> None:
        super().__init__()
        dims, skips = sizes['embed_dims'], sizes['encoder_dims'][-2::-1]
        self.mask_token = nn.Parameter(torch.zeros(1, dims[0]))
        self.stages = make_stages(dims, sizes['depths'], sizes['num_heads'], sizes['drop_path_rate'])
        self.propagations = nn.ModuleList(
            Propagation(coarse, skip, fine) for coarse, skip, fine in zip(dims[:-1], skips, dims[1:]))
        self.norm = nn.LayerNorm(dims[-1])

    def forward(self, features: Sequence[Tensor], scales: Sequence[PlainScale], top: Tensor) -> Tensor:
        """``(B, N_f, C_f)`` tokens of the last stage's scale; ``top`` (B, N_S), ``True`` = masked."""
        tokens = torch.where(top.unsqueeze(-1), self.mask_token, features[-1])
        tokens = self.stages[0](tokens, scales[-1].centers)
        for step, (propagate, stage) in enumerate(zip(self.propagations, self.stages[1:])):
            fine, coarse = scales[-2 - step].centers, scales[-1 - step].centers
            tokens = stage(propagate(fine, coarse, features[-2 - step], tokens), fine)
        return self.norm(tokens)


class PlainPointM2AE(nn.Module):
    """Masked autoencoder of the ``model`` entry of our pre-training config."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.backbone, self.neck = Encoder(config['backbone']), Decoder(config['neck'])
        head = config['head']
        self.head = nn.ModuleDict(dict(predict_points=nn.Linear(head['in_channels'], 3 * head['num_points'])))
        self.mask_ratio = config['mask_ratio']

    def forward(self, points: Tensor, top: Tensor | None = None) -> Tensor:
        """Chamfer loss of points ``(B, N, 3)``; ``top`` (B, N_S), ``True`` = masked, is drawn if not given."""
        scales = make_scales(points, self.backbone.counts, self.backbone.sizes)
        masks = back_project(mask_top(scales[-1].centers, self.mask_ratio) if top is None else top, scales)
        decoded = self.neck(self.backbone(points, scales, masks), scales, masks[-1])
        level = len(scales) - len(self.neck.stages)
        below = scales[level - 1].centers if level else points
        target = (take(below, scales[level].neighbors) - scales[level].centers.unsqueeze(2))[masks[level]]
        predicted = self.head['predict_points'](decoded[masks[level]]).view(len(target), -1, 3)
        squared = torch.cdist(predicted.float(), target).square()
        return squared.min(2).values.mean() + squared.min(1).values.mean()


class PlainFeatures(nn.Module):
    """Shape features for the linear SVM, from a :class:`PlainPointM2AE`'s encoder."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.backbone = Encoder(config['backbone'])

    def forward(self, points: Tensor) -> Tensor:
        """``(B, C_S)``; fine centres of no coarser group are left out, as in the published evaluation."""
        scales = make_scales(points, self.backbone.counts, self.backbone.sizes)
        nothing = torch.zeros(scales[-1].centers.shape[:2], dtype=torch.bool, device=points.device)
        tokens = self.backbone(points, scales, back_project(nothing, scales))[-1]
        return tokens.mean(1) + tokens.max(1).values


class PlainClassifier(nn.Module):
    """Encoder without masks and an MLP, of the ``model`` entry of our classification config."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.backbone, head = Encoder(config['backbone']), config['head']
        self.norm = nn.LayerNorm(head['in_channels'])
        widths = [head['in_channels'], *head['hidden']]
        self.hidden = nn.Sequential(*(
            nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Dropout(head['dropout']))
            for a, b in zip(widths[:-1], widths[1:])))
        self.classify = nn.Linear(widths[-1], head['num_classes'])
        self.smoothing = head['label_smoothing']

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of points ``(B, N, 3)`` with labels ``(B,)``."""
        scales = make_scales(points, self.backbone.counts, self.backbone.sizes)
        tokens = self.norm(self.backbone(points, scales, None)[-1])
        logits = self.classify(self.hidden(tokens.mean(1) + tokens.max(1).values))
        return F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
