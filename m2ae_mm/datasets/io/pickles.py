"""Pickles that came from strangers: arrays, numbers, strings and containers, nothing else."""
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from m2ae_mm.errors import reason

_core = np.core if np.__version__.startswith('1.') else np._core


def _latin1(text: str, encoding: str) -> bytes:
    """What array pickles of protocol 2 use ``_codecs.encode`` for."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'_codecs.encode with encoding {encoding!r}')
    return text.encode('latin1')


# numpy 2 renamed numpy.core to numpy._core; files hold whichever name wrote them.
_ALLOWED = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): _latin1,
}
for _module in ('numpy.core', 'numpy._core'):
    _ALLOWED[f'{_module}.multiarray', '_reconstruct'] = _core.multiarray._reconstruct
    _ALLOWED[f'{_module}.multiarray', 'scalar'] = _core.multiarray.scalar
    _ALLOWED[f'{_module}.numeric', '_frombuffer'] = _core.numeric._frombuffer


class _ArrayUnpickler(pickle.Unpickler):
    """Knows constructors of arrays only, so no code of the file's author can run."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is no array') from None


def read_pickle(path: str | Path) -> Any:
    """Content of a pickle made of arrays and plain Python values.

    Args:
        path: A file on this machine.

    Raises:
        ValueError: If the file is cut short, is no pickle, or needs any
            other class or function to be read.
    """
    try:
        with open(path, 'rb') as file:
            return _ArrayUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError,
            ImportError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise ValueError(f'{path} cannot be read safely ({Path(path).stat().st_size} bytes): {reason(error)}. Get the '
                         'file again from where it was published.') from error
