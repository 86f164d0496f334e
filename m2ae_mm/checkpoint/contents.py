"""What a checkpoint may hold: no more than its file, dense tensors, and numbers."""
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from m2ae_mm.errors import UserError, some

# Parameters and statistics of all of PyTorch's layers, which are floating-point numbers.
_FLOATS = ('weight', 'bias', 'running_mean', 'running_var')


def check_archive(path: Path) -> None:
    """Refuse a PyTorch archive whose entries are damaged, or longer than the file.

    PyTorch does not look at the checksums that it writes.

    Raises:
        UserError: Saying what is wrong; nothing of the file was loaded.
    """
    size = path.stat().st_size
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != ZIP_STORED for entry in entries) or sum(
                    entry.file_size for entry in entries) > size:
                raise UserError('its entries are compressed, which those of checkpoints never are')
            damaged = archive.testzip()
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f'it is no whole archive: {error}') from error
    if damaged is not None:
        raise UserError(f'its part {damaged!r} has another checksum than it was written with')


def check_tensors(content: Any, path: Path) -> None:
    """Refuse tensors that say they are larger than the file, and all that are not dense.

    Raises:
        UserError: Naming the first one.
    """
    size = path.stat().st_size
    for name, value in _tensors(content):
        if value.layout != torch.strided or value.is_quantized or value.device.type == 'meta':
            raise UserError(f'{str(path)!r}: {name} is no dense tensor. Convert it with value.to_dense() or '
                             'value.dequantize() and save it again.')
        if value.numel() * value.element_size() > size:
            raise UserError(f'{str(path)!r}: {name} has {value.numel()} elements, more than fit into a file of {size} '
                             'bytes.')


def check_weights(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are NaN, infinite or complex, or integers where floating-point numbers belong.

    Raises:
        UserError: With the first names.
    """
    wrong = [f'{name} is {str(value.dtype).removeprefix("torch.")}' for name, value in tensors.items()
             if value.is_complex() or not value.is_floating_point() and name.rpartition('.')[2] in _FLOATS]
    if wrong:
        raise UserError(f'{str(path)!r} holds {len(wrong)} tensors of a wrong type: {some(wrong)}. Weights are '
                         'floating-point numbers.')
    broken = not_finite(tensors)
    if broken:
        raise UserError(f'{str(path)!r} holds NaN or infinite values in {len(broken)} of {len(tensors)} tensors: '
                         f'{some(broken)}. Take an earlier checkpoint.')


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors with NaN or infinite values; waits for the device only once if all are finite."""
    floats = {name: value.detach() for name, value in tensors.items() if value.is_floating_point()}
    # A sum is finite only if all its terms are. It can overflow, so what is not finite is looked at again.
    sums = [(value if value.element_size() >= 4 else value.float()).sum().double() for value in floats.values()]
    if not sums or all(torch.stack(sums).isfinite().tolist()):
        return []
    return [name for name, value in floats.items() if not value.float().isfinite().all()]


def _tensors(content: Any) -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested containers with their places; each container is looked at once."""
    todo, seen = [('', content)], set()
    while todo:
        name, value = todo.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, (Mapping, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            todo += [(f'{name}.{key}' if name else str(key), each) for key, each in pairs]
