"""Arrays from HDF5 files."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.errors import reason


def read_h5(path: str | Path, names: Sequence[str] = ('data', 'label')) -> list[np.ndarray]:
    """The arrays ``names`` of one file.

    Raises:
        ImportError: If h5py is not installed.
        ValueError: If the file cannot be read or lacks an array.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f'{path} is an HDF5 file; reading it needs h5py: pip install h5py') from error
    try:
        with h5py.File(path, 'r') as file:
            return [np.asarray(file[name]) for name in names]
    except (OSError, KeyError) as error:
        raise ValueError(f'{path} cannot be read as HDF5 with the arrays {", ".join(names)}: '
                         f'{reason(error)}') from error
