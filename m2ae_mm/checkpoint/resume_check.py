"""Checks that a training can be resumed from a checkpoint."""
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from m2ae_mm.errors import UserError

_KINDS = dict(meta=Mapping, message_hub=Mapping, optimizer=(Mapping, NoneType),
              param_schedulers=(list, Mapping, NoneType))
_ONCE = dict(optimizer='save_optimizer=False', param_schedulers='save_param_scheduler=False')


def check_resumable(content: Mapping[str, Any], path: str | Path, schedules: bool) -> None:
    """Refuse a checkpoint in which a part is missing, or is not of the kind that mmengine stores.

    Args:
        content: All that the file holds.
        path: The file.
        schedules: Whether the training has schedules; mmengine stores none for one without.

    Raises:
        UserError: Naming what is missing or of a wrong kind.
    """
    instead = f'to start a training from these weights, leave out --resume and add --cfg-options load_from={path}.'
    if not {'meta', 'message_hub'} <= content.keys():
        raise UserError(f'{str(path)!r} holds weights only, so no training can be resumed from it; {instead}')
    strange = [f'{key} is {type(content[key]).__name__}' for key, kind in _KINDS.items()
               if not isinstance(content.get(key), kind)]
    if strange:
        raise UserError(f'{str(path)!r} cannot be resumed: {", ".join(strange)}; {instead}')
    missing = [key for key in _ONCE if content.get(key) is None and (schedules or key != 'param_schedulers')]
    if missing:
        raise UserError(f'{str(path)!r} cannot be resumed: it holds no {" and no ".join(missing)}, as if it was saved '
                        f'with {", ".join(_ONCE[key] for key in missing)}; {instead}')
    meta, optimizer = content['meta'], content['optimizer']
    wrong = [key for key in ('epoch', 'iter') if type(meta.get(key)) is not int or meta[key] < 0]
    if wrong:
        raise UserError(f'{str(path)!r} cannot be resumed: meta.{wrong[0]} is {meta.get(wrong[0])!r}, not a number of '
                        f'steps; {instead}')
    # Those of several optimizers are by name.
    if 'param_groups' not in optimizer and not any(
            isinstance(each, Mapping) for each in optimizer.values()):
        raise UserError(f'{str(path)!r} cannot be resumed: its optimizer has no param_groups; {instead}')
