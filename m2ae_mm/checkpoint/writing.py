"""Writing checkpoints of weights alone, and checksums of tensors and files.

PyTorch's archives have one of every part, which we compare; ``.safetensors`` have none.
"""
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m2ae_mm.errors import UserError
from m2ae_mm.files import write_bytes

KEY = 'm2ae_mm.sha256'


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


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and values, in any order of the names."""
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def check_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None, path: Path) -> None:
    """Compare tensors with the checksum that was written with them, if one was.

    Raises:
        UserError: If they differ.
    """
    written = (metadata or {}).get(KEY)
    if written is not None and written != digest(tensors):
        raise UserError(f'{str(path)!r} has changed since it was written: its tensors have another checksum. Copy it '
                        'again.')


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` writes it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
