"""Checkpoints with low-rank matrices: without their base weights, which are in another file, or merged into them.

``meta.base`` records what is left out: the file, the prefix of names in it and
in the checkpoint, the names, and their checksum. Reading such a checkpoint
gives all tensors.
"""
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from m2ae_mm.errors import UserError

from .places import resolve
from .trained_with import stored_config
from .writing import digest

_TEXTS = ('checkpoint', 'prefix', 'own', 'digest')
# Where mmengine keeps the tensors of a model, and what its names begin with there.
_PLACES = (('state_dict', ''), ('ema_state_dict', 'module.'))
LOW_RANK = '.lora_down'
_PARTS = (LOW_RANK, '.lora_up', '.lora_scale')
# Files whose base is being read.
_being_completed: list[Path] = []


def is_low_rank(tensors: Mapping[str, Tensor]) -> bool:
    """Whether there are low-rank matrices among the tensors of a checkpoint."""
    return any(name.endswith(LOW_RANK) for name in tensors)


def what_is_new(names: Collection[str]) -> list[tuple[list[str], str]]:
    """Names of tensors that a checkpoint does not have, sorted, and what they are; for messages."""
    low_rank = sorted(name for name in names if name.endswith(_PARTS))
    return [(sorted({*names} - {*low_rank}), 'new, initialised at random'),
            (low_rank, 'of low-rank matrices (LoRA), whose products are zero at first')]


def check_low_rank(own: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse low-rank matrices for a model without any: what they have learned would be lost.

    Raises:
        UserError: Saying what to do.
    """
    if is_low_rank(stored) and not is_low_rank(own):
        raise UserError(f'{str(path)!r} has low-rank matrices, the model has none, so what they have learned would be '
                        'lost. Make them part of the weights first, with tools/convert_checkpoint.py, or give the '
                        'encoder the option lora of that training.')


def leave_out_base(content: dict[str, Any], checkpoint: str, prefix: str, own: str, base: Mapping[str, Tensor]) -> bool:
    """Remove from a checkpoint the tensors that a file holds bit for bit, and record them in it.

    Args:
        content: Of a checkpoint that is about to be written, with ``state_dict`` and ``meta``; changed in place.
        checkpoint: Path, address or name of the file.
        prefix: Of the names in the file.
        own: Prefix of the same names in the checkpoint.
        base: Tensors of the file.

    Returns:
        Whether anything was left out.
    """
    tensors = content['state_dict']
    shared = {own + name.removeprefix(prefix): value for name, value in base.items() if name.startswith(prefix)}
    same = {name: value for name, value in shared.items() if name in tensors and _equal(tensors[name], value)}
    if not same:
        return False
    for place, beginning in _PLACES:
        held = content.get(place) or {}
        for name, value in same.items():
            if beginning + name in held and _equal(held[beginning + name], value):
                del held[beginning + name]
    known = '://' in checkpoint or not Path(checkpoint).expanduser().is_file()
    content['meta']['base'] = dict(
        checkpoint=checkpoint if known else str(Path(checkpoint).expanduser().resolve()), prefix=prefix, own=own,
        names=sorted(same), digest=digest(same))
    return True


def complete(content: dict[str, Any], path: Path, read: Callable[[Path], Mapping[str, Tensor]]) -> None:
    """Restore what :func:`leave_out_base` removed from a checkpoint.

    Args:
        content: Of the checkpoint, changed in place.
        path: Its file. A base that has moved is looked for beside it.
        read: Reads the tensors of a file.

    Raises:
        UserError: If the base is missing, or is not the one of the training.
    """
    meta = content.get('meta')
    base = meta.get('base') if isinstance(meta, Mapping) else None
    if base is None:
        return
    if not _is_whole(base):
        raise UserError(f'{str(path)!r} does not say which weights its low-rank matrices are for: meta.base is '
                        f'{str(base)[:80]}.')
    place_of = _files(base['checkpoint'], path)
    files, beside = list(place_of), str(_beside(base['checkpoint'], path))
    if not files:
        raise UserError(f'{str(path)!r} holds low-rank matrices for the weights of {base["checkpoint"]!r}, which is '
                        f'not there. Put that file beside it, as {beside!r}.')
    for file in files:
        if file.resolve() in (path.resolve(), *_being_completed):
            raise UserError(f'{str(path)!r} and {str(file)!r} name each other as the weights of low-rank matrices.')
        _being_completed.append(path.resolve())
        try:
            tensors = read(file)
        finally:
            _being_completed.pop()
        stored = {name: base['prefix'] + name.removeprefix(base['own']) for name in base['names']}
        found = {name: tensors[other] for name, other in stored.items() if other in tensors}
        if len(found) == len(stored) and digest(found) == base['digest']:
            for place, beginning in _PLACES:
                held = content.get(place)
                if isinstance(held, Mapping):
                    for name, value in found.items():
                        held.setdefault(beginning + name, value)
            content['meta'] = dict(meta, base=dict(base, checkpoint=place_of[file]))
            return
    raise UserError(f'{str(path)!r} holds low-rank matrices for other weights than those of {str(files[0])!r}: the '
                    f'{len(base["names"])} tensors it was trained on have another checksum. Put the file of its '
                    f'training beside it, as {beside!r}.')


def merge_checkpoint(content: Mapping[str, Any], path: Path) -> tuple[OrderedDict[str, Tensor], dict[str, Any]]:
    """Merge low-rank matrices into the other weights of a checkpoint, as :func:`merge_low_rank` does in a model.

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


def _files(checkpoint: str, path: Path) -> dict[Path, str]:
    """The files that may be the base, and what each is called in a checkpoint.

    Nothing is fetched, as a stranger may have written the address.
    """
    beside = _beside(checkpoint, path)
    files = {beside: str(beside.resolve())} if beside.is_file() and beside != path else {}
    try:
        return {resolve(checkpoint, fetch=False): checkpoint, **files}
    except (OSError, UserError, RuntimeError):  # the last for ~somebody
        return files


def _beside(checkpoint: str, path: Path) -> Path:
    """Where a base may be put; shipped weights are .safetensors."""
    name = Path(checkpoint.partition('#')[0]).name or 'base'
    return path.with_name(name if Path(name).suffix in ('.pth', '.pt', '.safetensors') else f'{name}.safetensors')


def _is_whole(base: Any) -> bool:
    return (isinstance(base, Mapping) and all(isinstance(base.get(key), str) for key in _TEXTS)
            and isinstance(base.get('names'), (list, tuple)) and all(isinstance(name, str) for name in base['names']))


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one.cpu(), other.cpu())


def _without_lora(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key == 'lora' else _without_lora(each) for key, each in value.items()}
    return [_without_lora(each) for each in value] if isinstance(value, list) else value
