"""Weight initialisation of the paper's models."""
import logging

from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from torch import nn

from m2ae_mm.checkpoint import load_pretrained_init

from .low_rank import base_weight


class PretrainableModule(BaseModule):
    """A module whose initial weights are PyTorch's or its own, and then those of the checkpoint of ``init_cfg``."""

    def init_weights(self) -> None:
        """Initialise once, see mmengine; a second call changes nothing."""
        if not self.is_init:
            self.reset_weights()
            load_pretrained_init(self, self.init_cfg)
            self._is_init = True

    def reset_weights(self) -> None:
        """Draw initial weights; by default they stay as PyTorch made them, which is what the published code does."""


def init_truncated_normal(module: nn.Module) -> None:
    """Linear weights truncated normal with deviation 0.02, biases 0 (encoder)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(base_weight(layer), std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_xavier(module: nn.Module) -> None:
    """Linear weights Xavier uniform, biases 0 (decoder blocks)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(base_weight(layer))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_quietly(model: BaseModule) -> None:
    """Initialise a model without mmengine's list of how each weight begins: for tools without a log file."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)
