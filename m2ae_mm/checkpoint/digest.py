"""Checksums of tensors and files.

PyTorch's archives have one of every part, which we compare; ``.safetensors`` have none.
"""
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from m2ae_mm.errors import UserError

KEY = 'm2ae_mm.sha256'


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
