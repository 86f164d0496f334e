"""Lets mmengine resume its own checkpoints while nothing in them can run code."""
from collections.abc import Mapping

import torch
from mmengine.logging.history_buffer import HistoryBuffer

from m2ae_mm.errors import UserError
from m2ae_mm.files.safe_arrays import CONSTRUCTORS


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
