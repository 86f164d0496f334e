"""Says what a checkpoint lacks that a training goes on with."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m2ae_mm.errors import UserError

_KINDS = dict(meta=Mapping, message_hub=Mapping, optimizer=Mapping, param_schedulers=(list, Mapping))


def check_resumable(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint from which a training would go on as another one.

    mmengine leaves what is missing as it is at the start of a training: the
    optimizer's averages, the place in the schedules.

    Args:
        content: All that the file holds.
        path: The file.

    Raises:
        UserError: Naming what is missing or of a wrong kind.
    """
    instead = f'to start a training from these weights, leave out --resume and add --cfg-options load_from={path}.'
    if not {'meta', 'message_hub'} <= content.keys():
        raise UserError(f'{str(path)!r} holds weights only, so no training can be resumed from it; {instead}')
    lacking = [key for key, kind in _KINDS.items() if not isinstance(content.get(key), kind)]
    if lacking:
        found = ', '.join(f'{key} is {type(content[key]).__name__}' if key in content else f'no {key}'
                          for key in lacking)
        raise UserError(f'{str(path)!r} cannot be resumed: {found}. Write checkpoints with all of it '
                        f'(default_hooks.checkpoint.save_optimizer and save_param_scheduler are True by default); '
                        f'{instead}')
    meta, optimizer = content['meta'], content['optimizer']
    wrong = [key for key in ('epoch', 'iter') if type(meta.get(key)) is not int or meta[key] < 0]
    if wrong:
        raise UserError(f'{str(path)!r} cannot be resumed: meta.{wrong[0]} is {meta.get(wrong[0])!r}, not a number of '
                        f'steps; {instead}')
    # Those of several optimizers are by name.
    if 'param_groups' not in optimizer and not any(isinstance(each, Mapping) for each in optimizer.values()):
        raise UserError(f'{str(path)!r} cannot be resumed: its optimizer has no param_groups; {instead}')
