"""Safe reading of pickles: arrays, numbers, strings and containers, nothing else."""
import os
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from m2ae_mm.errors import reading
from m2ae_mm.files.safe_arrays import CONSTRUCTORS, SafeArray, SafeType

# The functions that a pickle may call. All dictionaries keep their order.
_CONSTRUCTORS = {
    **CONSTRUCTORS,
    ('collections', 'OrderedDict'): lambda *items: dict(*items),
    ('builtins', 'set'): lambda items=(): set(items),
    ('__builtin__', 'set'): lambda items=(): set(items),
    ('__builtin__', 'bytes'): lambda: b'',  # older protocols have no other empty bytes
}
_CALLED = tuple(_CONSTRUCTORS.values())
_KEYS = (str, bytes, int, float, bool, type(None))
_REFUSED = (pickle.PERSID, pickle.BINPERSID, pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1,
            pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)


class _Bounded:
    """A file that is never asked for more bytes than it has."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size

    def read(self, count: int) -> bytes:
        if count > self.left:
            raise EOFError(f'{count} bytes should follow where {self.left} are left')
        self.left -= count
        return self.file.read(count)

    def readline(self) -> bytes:
        line = self.file.readline()
        self.left -= len(line)
        return line


class _ArrayUnpickler(pickle._Unpickler):
    """Only calls constructors of arrays and only sets the state of arrays, so that a file cannot run code.

    Derived from Python's own unpickler: a file can make the one in C allocate
    any amount of memory with a single number, and its handling of states
    cannot be restricted.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _CONSTRUCTORS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is no array') from None

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not any(function is known for known in _CALLED):
            raise pickle.UnpicklingError(f'it calls {type(function).__name__}, which makes no array')
        self.stack[-1] = function(*arguments)

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) not in (SafeArray, SafeType):
            raise pickle.UnpicklingError(f'it sets the state of {type(target).__name__}, which is no array')
        target.__setstate__(state)
        if type(target) is SafeArray:
            self.stack[-1] = np.asarray(target)

    def load_setitems(self) -> None:
        items, target = self.pop_mark(), self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(target, key, value)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(self.stack[-1], key, value)

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), 'little')
        self.append(bytearray(self.read(size)))

    @staticmethod
    def _set(target: dict, key: Any, value: Any) -> None:
        # Hashing tuples within tuples can take forever.
        if type(target) is not dict or type(key) not in _KEYS:
            raise pickle.UnpicklingError(f'a {type(target).__name__} with a key of type {type(key).__name__}')
        target[key] = value

    def _refuse(self) -> None:
        raise pickle.UnpicklingError('it holds objects of classes, which are no arrays')

    dispatch.update({pickle.REDUCE[0]: load_reduce, pickle.BUILD[0]: load_build, pickle.SETITEMS[0]: load_setitems,
                     pickle.SETITEM[0]: load_setitem, pickle.BYTEARRAY8[0]: load_bytearray8})
    dispatch.update(dict.fromkeys((code[0] for code in _REFUSED), _refuse))


def read_pickle(path: str | Path) -> Any:
    """Content of a pickle made of arrays and plain Python values.

    Raises:
        ValueError: If the file is cut short, is no pickle, or needs any
            other class or function to be read.
    """
    with open(path, 'rb') as file:
        return parse_pickle(file, os.fstat(file.fileno()).st_size, path)


def parse_pickle(file: BinaryIO, size: int, name: str | Path) -> Any:
    """:func:`read_pickle` of an open file of ``size`` bytes, with its name for the message."""
    with reading(name, f'safely ({size} bytes)'):
        return _ArrayUnpickler(_Bounded(file, size)).load()
