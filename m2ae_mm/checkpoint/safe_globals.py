"""Lets mmengine resume its own checkpoints while nothing in them can run code."""
import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer


def allow_mmengine_checkpoints() -> None:
    """Put the harmless classes in mmengine's checkpoints on PyTorch's allow-list.

    Since 2.6 PyTorch reads checkpoints with ``weights_only=True``, which
    refuses the logging history that mmengine stores. These few constructors
    only build arrays and numbers, so allowing them keeps that protection.
    """
    # numpy 2 renamed the module; numpy 1.26 has an empty one under the new name.
    core = np.core if np.__version__.startswith('1.') else np._core
    dtypes = {type(np.dtype(code)) for code in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', '?')}
    torch.serialization.add_safe_globals(
        [HistoryBuffer, np.ndarray, np.dtype, core.multiarray._reconstruct, core.multiarray.scalar, *dtypes])
