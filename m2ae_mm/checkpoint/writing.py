"""Writing checkpoints of weights alone."""
from collections import OrderedDict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m2ae_mm.files import write_bytes

from .digest import KEY, digest


def write_checkpoint(tensors: Mapping[str, Tensor], path: str | Path, meta: Mapping[str, Any] | None = None) -> None:
    """Write tensors so that :func:`read_checkpoint` and mmengine read them.

    The file appears only when it is complete.

    Args:
        tensors: By name.
        path: ``.safetensors`` or ``.pth`` file.
        meta: What is to be known of them, of strings and numbers; only ``.pth`` files have it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.safetensors':
        from safetensors.torch import save
        write_bytes(path, save({name: value.contiguous() for name, value in tensors.items()}, {KEY: digest(tensors)}))
        return
    content = BytesIO()
    torch.save(dict(state_dict=OrderedDict(tensors), meta=dict(meta or {})), content)
    write_bytes(path, content.getbuffer())
