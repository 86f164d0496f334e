"""Merges low-rank matrices of a checkpoint into its weights."""
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from m2ae_mm.errors import UserError

from .base import LOW_RANK, is_low_rank
from .trained_with import stored_config


def merge_checkpoint(content: Mapping[str, Any], path: Path) -> tuple['OrderedDict[str, Tensor]', dict[str, Any]]:
    """Merge low-rank matrices into the weights of a checkpoint, as :func:`merge_low_rank` does in a model.

    Args:
        content: All of a checkpoint, from :func:`read_content`.
        path: Its file.

    Returns:
        The tensors, and the config (without ``lora``) and classes of the training.

    Raises:
        UserError: If it has no such matrices, or one of a set is missing.
    """
    tensors = OrderedDict(content['state_dict'])
    if not is_low_rank(tensors):
        raise UserError(f'{str(path)!r} has no low-rank matrices that could be merged.')
    for layer in [name.removesuffix(LOW_RANK) for name in tensors if name.endswith(LOW_RANK)]:
        parts = [f'{layer}.{part}' for part in ('weight', 'lora_up', 'lora_down', 'lora_scale')]
        missing = [part for part in parts if part not in tensors]
        if missing:
            raise UserError(f'{str(path)!r} has low-rank matrices for {layer}, and no {", ".join(missing)}.')
        weight, up, down, scale = (tensors[part] for part in parts)
        if weight.shape != (up.shape[0], down.shape[1]) or up.shape[1:] != down.shape[:1]:
            raise UserError(f'{str(path)!r}: the low-rank matrices {tuple(up.shape)} and {tuple(down.shape)} of '
                            f'{layer} do not fit its weight {tuple(weight.shape)}.')
        tensors[parts[0]] = weight.addmm(up * scale, down)
        for part in parts[1:]:
            del tensors[part]
    given = content.get('meta')
    meta = {key: given[key] for key in ('dataset_meta', 'epoch', 'iter') if key in given} if isinstance(
        given, Mapping) else {}
    if config := stored_config(content):
        meta['cfg'] = Config(_without_lora(config)).pretty_text
    return tensors, meta


def _without_lora(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key == 'lora' else _without_lora(each) for key, each in value.items()}
    return [_without_lora(each) for each in value] if isinstance(value, list) else value
