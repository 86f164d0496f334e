"""Classification from the coarsest tokens (paper section 4.2)."""
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet3d.registry import MODELS

from ..layers.initialization import PretrainableModule
from ..layers.token_layers import check_rows

# Name -> function of (B, M, C) tokens and the width of its result over C.
POOLINGS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    'max': (lambda x: x.amax(1), 1),
    'mean': (lambda x: x.mean(1), 1),
    'max+mean': (lambda x: x.amax(1) + x.mean(1), 1),
    'concat': (lambda x: torch.cat([x.mean(1), x.amax(1)], -1), 2),
    # The published ScanObjectNN model takes the maximum over tokens 1.. only, as if token 0 were a class token.
    'concat_published': (lambda x: torch.cat([x.mean(1), x[:, 1:].amax(1)], -1), 2),
    # Needs PointM2AEClassTokenEncoder, which puts the class token first.
    'class_token': (lambda x: x[:, 0], 1),
}


@MODELS.register_module()
class PointM2AEClsHead(PretrainableModule):
    """LayerNorm, pooling and an MLP with BatchNorm, ReLU and dropout.

    Args:
        num_classes: Classes.
        in_channels: Width of the coarsest tokens.
        pooling: A key of :data:`POOLINGS`; table 10 of the paper compares them.
        hidden: Widths of the MLP.
        dropout: After each hidden layer.
        label_smoothing: Share of the target taken from the true class and
            spread evenly over the *other* classes.
        linear: Nothing but one linear layer learns: no hidden layers, and the norm has no weights.
        init_cfg: ``dict(type='Pretrained', ...)``, see :func:`load_pretrained_init`.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int = 384,
                 pooling: str = 'max+mean',
                 hidden: Sequence[int] = (256, 256),
                 dropout: float = 0.5,
                 label_smoothing: float = 0.,
                 linear: bool = False,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if pooling not in POOLINGS:
            raise ValueError(f'pooling is one of {", ".join(POOLINGS)}; got {pooling!r}.')
        if num_classes < 2:
            raise ValueError(f'num_classes must be at least 2, got {num_classes}.')
        self.pooling = pooling
        self.norm = nn.LayerNorm(in_channels, elementwise_affine=not linear)
        self.pool, factor = POOLINGS[pooling]
        widths = [factor * in_channels, *(() if linear else hidden)]
        self.hidden = nn.Sequential(*(
            nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Dropout(dropout))
            for a, b in zip(widths[:-1], widths[1:])))
        self.classify = nn.Linear(widths[-1], num_classes)
        # PyTorch spreads the share over all classes, the true one included.
        self.label_smoothing = label_smoothing * num_classes / (num_classes - 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, M, C)`` tokens to ``(B, num_classes)`` logits.

        Raises:
            ValueError: In training, for a batch of one shape.
        """
        for layer in self.hidden:
            check_rows(layer[1], len(tokens))
        return self.classify(self.hidden(self.pool(self.norm(tokens))))

    def loss(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Cross entropy of logits ``(B, num_classes)`` and labels ``(B,)``, and the accuracy in percent for the log."""
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)
        accuracy = (logits.argmax(1) == labels).float().mean() * 100
        return dict(loss_cls=loss, accuracy=accuracy)
