"""Checks the checkpoint that a training starts from or resumes, before anything else is built."""
import copy
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from m2ae_mm.errors import UserError, some
from m2ae_mm.files import read_text

from .loading import check_types, differences
from .low_rank import check_low_rank, what_is_new
from .places import resolve
from .published import advice_for
from .reading import read_content

_KINDS = dict(meta=Mapping, message_hub=Mapping, optimizer=(Mapping, NoneType),
              param_schedulers=(list, Mapping, NoneType))
_ONCE = dict(optimizer='save_optimizer=False', param_schedulers='save_param_scheduler=False')


def check_start(config: Config) -> str | None:
    """Find and check the file behind ``config.load_from`` and ``config.resume``.

    mmengine would load whatever fits, and if that is nothing, train from
    scratch. Weights that come with the package may be given by name, others
    by their address.

    Args:
        config: A full config, changed in place: ``load_from`` becomes the
            path of a file, and ``resume`` False if there is none to resume.
            With ``resume='auto'`` the newest whole checkpoint of the work
            folder is resumed, and ``load_from`` is where to start if there is
            none.

    Returns:
        What to tell about the start, or None if that goes without saying.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it cannot be read, or is of another model.
    """
    path, message = config.get('load_from'), None
    if config.get('resume') == 'auto' or config.get('resume') and not path:
        latest = latest_checkpoint(Path(config.work_dir))
        config.resume = latest is not None
        if latest is None:
            message = (f'nothing to resume: {config.work_dir} holds no checkpoint. Training starts at epoch 0'
                       f'{f", from {path}" if path else ""}.')
        else:
            path, message = latest
    if path:
        epoch, report = _check_file(config, resolve(path))
        message = message or report
        last = (config.get('train_cfg') or {}).get('max_epochs')
        if config.get('resume') and last and epoch >= last:
            message = (f'nothing left to train: {path} is of epoch {epoch}, train_cfg.max_epochs is {last}. To go on, '
                       'set it and the end of the last param_scheduler to more.')
    return message


def _check_file(config: Config, path: Path) -> tuple[int, str | None]:
    """Set ``config.load_from`` to a file if the model can start from it, or resume it with ``config.resume``.

    Returns:
        Its epoch, and what is to be told of weights to start from.
    """
    report = None
    config.load_from = str(path)
    content = read_content(path, mapped=True)
    if config.get('resume'):
        check_resumable(content, path, bool(config.get('param_scheduler')))
    stored = content['state_dict']
    with DefaultScope.overwrite_default_scope(config.get('default_scope')):
        own = MODELS.build(copy.deepcopy(config.model)).state_dict()  # mmdet3d's heads change what they are built from
    check_types(own, stored, path)
    if not config.get('resume'):
        check_low_rank(own, stored, path)
        report = _check_weights(own, stored, path, config.model.type)
    elif problems := differences(own, stored):
        raise UserError(f'{str(path)!r} cannot be resumed with this config: {len(problems)} of {len(own)} tensors of '
                        f'its {config.model.type} differ ({"; ".join(problems[:3])}). Use the config and options it '
                        'was trained with.')
    meta = content.get('meta')
    return meta.get('epoch', 0) if isinstance(meta, dict) else 0, report


def check_resumable(content: Mapping[str, Any], path: str | Path, schedules: bool) -> None:
    """Refuse a checkpoint in which a part is missing, or is not of the kind that mmengine stores.

    For a training without ``schedules`` mmengine stores none.

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


def latest_checkpoint(folder: Path) -> tuple[Path, str | None] | None:
    """The newest whole checkpoint of a work folder, and what to tell if that is not the latest; None if it has none.

    Raises:
        FileNotFoundError: If the noted one is not there, nor any other.
        UserError: If none of them can be read.
    """
    note = folder / 'last_checkpoint'
    noted = Path(read_text(note).strip()) if note.is_file() else None
    if noted is not None and noted.name and not noted.is_file():
        noted = noted if not (folder / noted.name).is_file() else folder / noted.name  # the folder was moved
    found = [path for place in {folder, noted.parent if noted else folder} for path in place.glob('*.pth')
             if not path.name.startswith('best_')]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    if noted in found:
        found = [noted, *(path for path in found if path != noted)]
    problems = []
    for path in found:
        try:
            if {'meta', 'message_hub'} <= read_content(path, mapped=True).keys():
                told = f'{"; ".join(problems)} The training resumes from {path}.' if problems else None
                return path, told
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise UserError(f'no checkpoint in {str(folder)!r} can be resumed: {" ".join(problems)}')
    if noted is None or not noted.name:
        return None
    raise FileNotFoundError(f'{str(note)!r} names {str(noted)!r}, which does not exist; say where to resume from with '
                            '--resume FILE.')


def _check_weights(own: dict[str, Tensor], stored: dict[str, Tensor], path: Path, model: str) -> str:
    """Check weights to start from: tensors that they share with the model must fit. Reports what fits.

    Layers may have another number of outputs, as for other classes: these start anew.
    """
    shared = own.keys() & stored.keys()
    if not shared:
        raise UserError(f'nothing in {str(path)!r} fits {model}: it has names like {next(iter(stored))!r}, the model '
                        f'{next(iter(own))!r}. {advice_for(stored)}'.rstrip())
    wrong = [f'{name}: {tuple(stored[name].shape)} stored, {tuple(value.shape)} needed'
             for name, value in own.items() if name in shared and stored[name].shape != value.shape]
    inside = [name for name, value in own.items() if name in shared and stored[name].shape[1:] != value.shape[1:]]
    if inside or 2 * len(wrong) > len(shared):
        raise UserError(f'{len(wrong)} of the {len(shared)} tensors that {str(path)!r} shares with {model} have '
                        f'another shape ({"; ".join(wrong[:3])}). Build both with the same sizes; --pretrained NAME '
                        'does so for weights that come with the package.')
    new = [(names, f'are {what}') for names, what in what_is_new(own.keys() - stored.keys())]
    told = [f'{model} starts from {len(shared) - len(wrong)} tensors of {path}']
    told += [f'{len(names)} {what} ({some(names)})' for names, what in (
        *new, (sorted(stored.keys() - own.keys()), 'of the file are not used'),
        (wrong, 'are of layers with other outputs, which start anew')) if names]
    return '; '.join(told)
