"""Arrays from ``.npy`` and ``.npz`` files, which cannot ask for more memory than their size accounts for."""
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from m2ae_mm.errors import UserError

# What a compressed file may hold: so many bytes in any case, and so many for each byte of the file.
_ALWAYS, _EACH = 64 * 2**20, 50


def load_array(path: str | Path) -> np.ndarray:
    """The array of a ``.npy`` file.

    Raises:
        UserError: If the file holds Python objects, or is not as long as it says.
    """
    with open(path, 'rb') as file:
        return _read(file, os.fstat(file.fileno()).st_size)


def load_arrays(path: str | Path, choose: Callable[[list[str]], Sequence[str]] | None = None) -> dict[str, np.ndarray]:
    """Arrays of a ``.npz`` file by name: all, or those that ``choose`` returns of the names.

    Raises:
        UserError: If the arrays are not as long as they say, too long for
            the file, or hold Python objects.
        zipfile.BadZipFile: If it is no archive.
    """
    with ZipFile(path) as archive:
        entries = {entry.filename.removesuffix('.npy'): entry for entry in archive.infolist()}
        chosen = list(entries) if choose is None else choose(list(entries))
        declared, most = sum(entries[name].file_size for name in chosen), most_bytes(os.path.getsize(path))
        if declared > most:
            raise UserError(f'its arrays would take {declared} bytes; a file of {os.path.getsize(path)} bytes is '
                            f'given {most}')
        arrays = {}
        for name in chosen:
            with archive.open(entries[name]) as file:
                arrays[name] = _read(file, entries[name].file_size)
        return arrays


def most_bytes(size: int) -> int:
    """How many bytes the content of a compressed file of ``size`` bytes may take."""
    return _ALWAYS + _EACH * size


def _read(file: BinaryIO, size: int) -> np.ndarray:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise UserError(f'an array in version {version} of the format; 1.0 and 2.0 are read')
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        raise UserError('an array of Python objects, which is not read')
    declared, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if declared > found or any(length < 0 for length in shape):
        raise UserError(f'an array {shape} of {dtype} has {declared} bytes, the file holds {found}')
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)
