"""Reading checkpoints without running code from them: the one way to them, for this project and for mmengine."""
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
from mmengine.logging import print_log
from mmengine.utils import apply_to
from torch import Tensor

from m2ae_mm.errors import UserError, reason

from .contents import check_archive, check_tensors, check_weights
from .low_rank import complete
from .places import resolve
from .published import convert_published, is_published
from .shipped import check_shipped
from .writing import check_digest

# Where a checkpoint keeps its tensors: mmengine's; the published codes' of 3DETR, Point-M2AE and its segmentation.
_PLACES = ('state_dict', 'model', 'base_model', 'model_state_dict')


def read_checkpoint(path: str | Path, convert: bool = True) -> OrderedDict[str, Tensor]:
    """The tensors of a checkpoint, by name; see :func:`read_content`."""
    return read_content(path, convert=convert)['state_dict']


def read_content(path: str | Path, map_location: str | torch.device | None = None, mapped: bool = False,
                 convert: bool = True) -> dict[str, Any]:
    """All that a checkpoint holds, its tensors under ``state_dict``.

    Reads ``.safetensors`` and PyTorch files, the latter with
    ``weights_only=True`` (``argparse.Namespace``, in which published
    checkpoints keep their options, is let through: it only holds values). Dictionaries that keep the tensors under
    ``state_dict``, ``model``, ``base_model`` or ``model_state_dict`` are
    understood, and a leading ``module.`` from data-parallel training is
    dropped. Published Point-M2AE, I2P-MAE, 3DETR and V-DETR checkpoints get this
    project's names, which the log tells. Low-rank matrices come with the weights
    that they were trained on, from the file that the checkpoint names.

    Args:
        path: A file on this machine, an address, or the name of weights
            that come with the package; see :func:`resolve`.
        map_location: The device for the tensors; None is the CPU.
        mapped: Leave the tensors of a PyTorch file on disk until they are
            looked at. The file must stay as it is that long.
        convert: Whether published checkpoints get this project's names.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is no checkpoint, is cut short or altered, or holds
            anything that only unpickling arbitrary objects could read, or
            weights that are no finite floating-point numbers.
    """
    path = resolve(path)
    check_shipped(path)
    content = _read_safetensors(path) if path.suffix == '.safetensors' else _read_torch(path, mapped)
    check_tensors(content, path)
    place, tensors = _find_tensors(content, path)
    check_weights(tensors, path)
    if convert and is_published(tensors):
        tensors = _converted(tensors, path)
    rest = {key: value for key, value in content.items() if key != place} if place else {}
    content = dict(rest, state_dict=tensors)
    complete(content, path, lambda file: read_content(file, mapped=mapped)['state_dict'])
    if map_location is None or torch.device(map_location).type == 'cpu':
        return content
    return apply_to(content, lambda value: isinstance(value, Tensor), lambda value: value.to(map_location))


def _find_tensors(content: Any, path: Path) -> tuple[str | None, OrderedDict[str, Tensor]]:
    """Under which key the content of a file keeps its tensors, None if it has nothing else, and the tensors."""
    place = next((key for key in _PLACES if isinstance(content, dict) and isinstance(content.get(key), dict)), None)
    found = content[place] if place else content
    if not isinstance(found, dict) or not any(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f'{str(path)!r} holds no state dict: expected names with tensors, found '
                         f'{type(found).__name__}.')
    tensors = OrderedDict((str(name).removeprefix('module.'), value) for name, value in found.items()
                          if isinstance(value, Tensor))
    if hasattr(found, '_metadata'):  # versions of layers, by which some of PyTorch's read older weights
        tensors._metadata = found._metadata
    return place, tensors


def _converted(tensors: OrderedDict[str, Tensor], path: Path) -> OrderedDict[str, Tensor]:
    try:
        model, converted = convert_published(tensors)
    except ValueError as error:
        raise UserError(f'{str(path)!r} looks like a published checkpoint and differs from it: {error}') from error
    print_log(f'{path} is a published checkpoint ({model.title}): its {len(converted)} tensors were given the names '
              f'of this project, as tools/convert_checkpoint.py does.{model.what_is_left_out(tensors)} It belongs to '
              f'{model.config}.{model.what_is_alike()}', 'current')
    return converted


def _read_torch(path: Path, mapped: bool) -> Any:
    try:
        archive = is_zipfile(path)  # which files from before PyTorch 1.6 are not
        if archive:
            check_archive(path)
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(path, map_location='cpu', weights_only=True, mmap=mapped and archive)
    except UnpicklingError as error:
        raise UserError(f'{str(path)!r} cannot be read safely: it is no checkpoint, or needs Python objects beyond '
                         f'tensors. {reason(error)}') from error
    except Exception as error:  # damaged files make PyTorch raise nearly anything
        raise UserError(_damaged(path, error)) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import safe_open
    try:
        with safe_open(path, 'pt') as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except Exception as error:
        raise UserError(_damaged(path, error)) from error
    check_digest(tensors, metadata, path)
    return tensors


def _damaged(path: Path, error: Exception) -> str:
    size = path.stat().st_size
    what = f'damaged or cut short ({size} bytes): {reason(error)}' if size else 'empty (0 bytes)'
    return f'{str(path)!r} is {what}. Copy it again.'
