"""Weight initialisation of the paper's models."""
from torch import nn


def init_truncated_normal(module: nn.Module, std: float = 0.02) -> None:
    """Linear weights truncated normal, biases 0 (encoder)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_xavier(module: nn.Module) -> None:
    """Linear weights Xavier uniform, biases 0 (decoder blocks)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
