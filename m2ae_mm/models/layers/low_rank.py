"""LoRA: linear layers that stay as they are, with a product of two thin matrices on top of their weights.

Source: Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021.
"""
import re
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from m2ae_mm.errors import UserError

# The attention layers of Point-M2AE, and those of 3DETR and V-DETR.
ATTENTION = (r'(^|\.)(attn\.(qkv|proj)|(self_attn|cross_attn)\.(in_proj|out_proj|q|k|v))$', )
# Names of a layer's tensors in the model and in a checkpoint, where the weight keeps its own name.
_STORED = {'parametrizations.weight.original': 'weight', 'parametrizations.weight.0.down': 'lora_down',
           'parametrizations.weight.0.up': 'lora_up', 'parametrizations.weight.0.scale': 'lora_scale'}
_SHOWN = 4


class LowRank(nn.Module):
    """Parametrization of a weight ``(O, I)``: adds ``scale * up @ down``, which is zero at first.

    Reading the layer's weight gives the sum, so every forward pass on every
    device uses it like any other weight.

    Args:
        weight: ``(O, I)``.
        rank: Rows of ``down`` (rank, I) and columns of ``up`` (O, rank).
        alpha: ``scale`` is ``alpha / rank``; it is stored beside the matrices, which mean nothing without it.
        drop_rate: Share of the I inputs that are dropped for ``down`` in training. One draw a step holds for all
            tokens, so that there still is one weight.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float, drop_rate: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(weight.new_empty(rank, columns))
        self.up = nn.Parameter(weight.new_zeros(rows, rank))
        self.register_buffer('scale', weight.new_tensor(alpha / rank))
        self.drop_rate = drop_rate
        nn.init.kaiming_uniform_(self.down, a=5**0.5)  # as in the published code

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the product on top."""
        down = self.down
        if self.training and self.drop_rate:
            down = down * F.dropout(torch.ones_like(down[0]), self.drop_rate)
        with torch.autocast(weight.device.type, enabled=False):
            return torch.addmm(weight, self.up * self.scale, down)


def add_low_rank(model: nn.Module, rank: int = 8, alpha: float | None = None, drop_rate: float = 0.,
                 targets: str | Sequence[str] = ATTENTION) -> list[str]:
    """Put :class:`LowRank` on linear layers; the rest of the model is left as it is.

    In a state dict the weights of the layers keep their names, with ``lora_down``, ``lora_up`` and ``lora_scale``
    beside them, so checkpoints without LoRA fit.

    Args:
        model: Changed in place.
        rank: See :class:`LowRank`.
        alpha: See :class:`LowRank`; the rank by default, which is a scale of 1.
        drop_rate: See :class:`LowRank`.
        targets: Regular expressions, searched in the names of layers.

    Returns:
        Names of the layers.

    Raises:
        UserError: If a number is out of range, or a target is not a regular expression or matches no linear layer.
    """
    names = _find(model, [targets] if isinstance(targets, str) else list(targets))
    alpha = rank if alpha is None else alpha
    least = min(min(model.get_submodule(name).weight.shape) for name in names)
    if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= least:
        raise UserError(f'the rank of lora must be a whole number from 1 to {least}, the smaller side of the '
                        f'smallest weight it is put on, got {rank!r}.')
    if not isinstance(alpha, (int, float)) or not alpha > 0:
        raise UserError(f'alpha of lora must be above 0, got {alpha!r}.')
    if not isinstance(drop_rate, (int, float)) or not 0 <= drop_rate < 1:
        raise UserError(f'drop_rate of lora is a share from 0 to below 1, got {drop_rate!r}.')
    for name in names:
        layer = model.get_submodule(name)
        if has_low_rank(layer):
            raise UserError(f'{name} has low-rank matrices already.')
        learns = layer.weight.requires_grad
        parametrize.register_parametrization(layer, 'weight', LowRank(layer.weight, rank, alpha, drop_rate))
        layer.parametrizations.weight.original.requires_grad_(learns)
        layer.register_state_dict_post_hook(_rename_stored)
        layer.register_load_state_dict_pre_hook(_rename_to_load)
    return names


def _find(model: nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the linear layers that the expressions match, in the order of the model."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    found: set[str] = set()
    if not targets:
        raise UserError('lora needs targets, regular expressions for names of linear layers, got none.')
    for target in targets:
        try:
            matching = [name for name in linear if re.search(target, name)]
        except re.error as error:
            raise UserError(f'targets of lora are regular expressions, {target!r} is none: {error}.') from error
        if not matching:
            some = ', '.join(linear[::max(len(linear) // _SHOWN, 1)][:_SHOWN])
            raise UserError(f'targets of lora: {target!r} finds none of the {len(linear)} linear layers of '
                            f'{type(model).__name__}, which have names like {some}.')
        found.update(matching)
    return [name for name in linear if name in found]


def has_low_rank(layer: nn.Module) -> bool:
    """Whether :class:`LowRank` is on the weight of a layer, and no other parametrization on anything of it."""
    if not parametrize.is_parametrized(layer) or list(layer.parametrizations) != ['weight']:
        return False
    return len(layer.parametrizations.weight) == 1 and type(layer.parametrizations.weight[0]) is LowRank


def low_rank_layers(model: nn.Module) -> Iterator[nn.Module]:
    """All layers with :class:`LowRank`."""
    return (module for module in model.modules() if has_low_rank(module))


def merge_low_rank(model: nn.Module) -> int:
    """Merge the low-rank matrices into the weights, which are plain afterwards; the number of layers that had them."""
    layers = list(low_rank_layers(model))
    for layer in layers:
        learns = base_weight(layer).requires_grad
        layer.parametrizations.weight[0].eval()  # all of the inputs
        weight = layer.weight.detach()
        # PyTorch's remove_parametrizations would take the weight from the class, which copies of the layer share.
        del layer.parametrizations
        layer.__class__ = type(layer).__bases__[0]
        layer.weight = nn.Parameter(weight, requires_grad=learns)
    return len(layers)


def base_weight(layer: nn.Module) -> Tensor:
    """The stored weight of a linear layer, which may be written to, without what a parametrization adds."""
    return layer.parametrizations.weight.original if parametrize.is_parametrized(layer, 'weight') else layer.weight


def _rename_stored(layer: nn.Module, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    if has_low_rank(layer):
        for own, stored in _STORED.items():
            if prefix + own in state_dict:
                state_dict[prefix + stored] = state_dict.pop(prefix + own)


def _rename_to_load(layer: nn.Module, state_dict: dict, prefix: str, *_) -> None:
    if has_low_rank(layer):
        for own, stored in _STORED.items():
            if prefix + stored in state_dict:
                state_dict[prefix + own] = state_dict.pop(prefix + stored)
