"""Arrays from HDF5 files."""
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.errors import reading
from m2ae_mm.files import most_bytes


def read_h5(path: str | Path, names: Sequence[str] = ('data', 'label')) -> list[np.ndarray]:
    """The arrays ``names`` of one file.

    Raises:
        ImportError: If h5py is not installed.
        UserError: If the file cannot be read or lacks an array, or an array
            is in another file or too large for this one.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f'{path} is an HDF5 file; reading it needs h5py: pip install h5py') from error
    with reading(path, f'as HDF5 with the arrays {", ".join(names)}'), h5py.File(path, 'r') as file:
        return [_read(file, name, most_bytes(os.path.getsize(path))) for name in names]


def _read(file, name: str, most: int) -> np.ndarray:
    import h5py
    link = file.get(name, getlink=True)
    array = None if isinstance(link, h5py.ExternalLink) else file[name]
    if array is None or isinstance(array, h5py.Dataset) and (array.external or array.is_virtual):
        raise ValueError(f'{name} is in another file, which is not read')
    if not isinstance(array, h5py.Dataset):
        raise ValueError(f'{name} is no array')
    if array.dtype.hasobject or array.dtype.kind not in 'biuf':
        raise ValueError(f'{name} holds {array.dtype}, not numbers')
    if array.nbytes > most:
        raise ValueError(f'{name} {array.shape} would take {array.nbytes} bytes; a file of this size is given {most}')
    return array[()]
