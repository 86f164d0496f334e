"""Makes mmengine read every checkpoint with our reader, and resume its own while nothing in them can run code."""
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader

from m2ae_mm.errors import UserError
from m2ae_mm.files.safe_arrays import CONSTRUCTORS

from .reading import read_content


def load_from_m2ae_mm(filename: str, map_location: Any = None) -> dict[str, Any]:
    """What mmengine calls for ``load_from``, ``init_cfg``, ``resume`` and mmdet3d's ``init_model``.

    Args:
        filename: As for :func:`read_content`.
        map_location: A device; anything else of what ``torch.load`` takes
            leaves the tensors on the CPU.
    """
    content = read_content(filename, map_location if isinstance(map_location, (str, torch.device)) else None)
    if isinstance(content.get('meta'), dict):
        # The text of a config as old versions kept it, which Runner.resume would run to look for the number of GPUs.
        content['meta'].pop('config', None)
    if filename.startswith('mmcls://'):  # classifiers, of which mmengine takes the backbone
        tensors = content['state_dict'].items()
        content['state_dict'] = {name[9:]: value for name, value in tensors if name.startswith('backbone.')}
    return content


def take_over() -> None:
    """Make mmengine read every checkpoint, whatever its address, with :func:`load_from_m2ae_mm`."""
    for scheme in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(scheme, load_from_m2ae_mm, force=True)


def allow_mmengine_checkpoints() -> None:
    """Put the harmless parts of mmengine's checkpoints on PyTorch's allow-list.

    Since 2.6 PyTorch reads checkpoints with ``weights_only=True``, which
    refuses the logging history that mmengine stores. What is allowed here
    only puts arrays, strings and numbers together. The history also asks for
    ``getattr``, to name four of its own methods; in its place stands a
    function that can do no more than that. ``ConfigDict``, in which a data set
    keeps what a config told it about its classes, is read as a dictionary.
    """
    torch.serialization.add_safe_globals([
        HistoryBuffer, (_dictionary, 'mmengine.config.config.ConfigDict'),
        (_history_method, 'builtins.getattr'), (_history_method, '__builtin__.getattr'),
        *((function, f'{module}.{name}') for (module, name), function in CONSTRUCTORS.items())
    ])


def _dictionary(values: Mapping | None = None) -> dict:
    """What stands for a ``ConfigDict``, which would look its values over for objects to build."""
    return dict(values or {})


def _history_method(owner: type, name: str):
    """``getattr`` restricted to the statistics of mmengine's logging history."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UserError(f'a checkpoint asked for {name!r} of {owner!r}, which no checkpoint of mmengine needs; it was '
                        'not read.')
    return getattr(owner, name)
