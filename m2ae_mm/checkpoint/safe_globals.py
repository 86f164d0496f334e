"""Lets mmengine resume its own checkpoints while nothing in them can run code."""
import codecs

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer


def allow_mmengine_checkpoints() -> None:
    """Put the harmless parts of mmengine's checkpoints on PyTorch's allow-list.

    Since 2.6 PyTorch reads checkpoints with ``weights_only=True``, which
    refuses the logging history that mmengine stores. The constructors allowed
    here only build arrays, strings and numbers. The history also asks for
    ``getattr``, to name four of its own methods; in its place stands a
    function that can do no more than that.
    """
    # numpy 2 renamed the module; numpy 1.26 has an empty one under the new name.
    core = np.core if np.__version__.startswith('1.') else np._core
    dtypes = {type(np.dtype(code)) for code in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', '?')}
    torch.serialization.add_safe_globals([
        HistoryBuffer, np.ndarray, np.dtype, core.multiarray._reconstruct, core.multiarray.scalar, codecs.encode,
        (_history_method, 'builtins.getattr'), (_history_method, '__builtin__.getattr'), *dtypes
    ])


def _history_method(owner: type, name: str):
    """``getattr`` restricted to the statistics of mmengine's logging history."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise ValueError(f'a checkpoint asked for {name!r} of {owner!r}, which no checkpoint of mmengine needs; it was '
                         'not read.')
    return getattr(owner, name)
