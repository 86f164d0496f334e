"""NumPy's arrays, numbers and types in pickles, put together by us.

NumPy's own ``__setstate__`` believes what a pickle says: a type whose flags are wrong makes it take numbers for
pointers. Here a type is a code and a byte order, an array is as many bytes as its shape says, and nothing else is set.
"""
import math
import re
from pickle import UnpicklingError
from typing import Any

import numpy as np


class SafeType:
    """Stands for ``numpy.dtype`` while a pickle is read."""

    __slots__ = ('code', 'order')

    def __init__(self, code: str, align: Any = False, copy: Any = True) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSUO?]\d{0,9}', code):
            raise UnpicklingError(f'it asks for arrays of type {code!r}')
        self.code, self.order = code, '='

    def __setstate__(self, state: tuple) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ('<', '>', '=', '|') or any(
                part is not None for part in state[2:5]):
            raise UnpicklingError(f'it asks for a type {self.code!r} with parts')
        self.order = state[1]

    def dtype(self) -> np.dtype:
        """NumPy's."""
        return np.dtype(self.code).newbyteorder(self.order)


class SafeArray(np.ndarray):
    """An array that is filled once, with what its shape and type say; pickled, it is an ordinary array."""

    def __new__(cls, *_, **__) -> 'SafeArray':
        raise UnpicklingError('it asks for an array in another way than arrays are stored')

    def __setstate__(self, state: tuple) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5) or 'filled' in self.__dict__:
            raise UnpicklingError('an array that is not stored as arrays are')
        shape, kind, fortran, data = state[-4:]
        data = _checked(data, shape, kind)
        dtype = kind.dtype()
        super().__setstate__((1, shape, dtype, bool(fortran), data))
        self.filled = True

    def __reduce_ex__(self, protocol: int) -> tuple:
        return np.asarray(self).__reduce_ex__(protocol)


def _reconstruct(kind: type, shape: Any, code: Any) -> SafeArray:
    if kind is not SafeArray:
        raise UnpicklingError('it asks for an array of another class')
    return np.ndarray.__new__(SafeArray, (0, ), np.uint8)


def _scalar(kind: SafeType, data: bytes) -> np.generic:
    return np.frombuffer(_checked(data, (), kind, objects=False), kind.dtype())[0]


def _frombuffer(data: bytes, kind: SafeType, shape: tuple, order: str) -> np.ndarray:
    if order not in ('C', 'F'):
        raise UnpicklingError(f'an array in the order {order!r}')
    return np.frombuffer(_checked(data, shape, kind, objects=False), kind.dtype()).reshape(shape, order=order).copy()


def _encode(text: str, encoding: str) -> bytes:
    """What array pickles of protocol 2 use ``_codecs.encode`` for."""
    if encoding != 'latin1' or not isinstance(text, str):
        raise UnpicklingError(f'_codecs.encode with encoding {encoding!r}')
    return text.encode('latin1')


def _checked(data: Any, shape: Any, kind: Any, objects: bool = True) -> Any:
    """The bytes, or list of objects, of an array, if they are as many as they must be."""
    if not isinstance(kind, SafeType) or not isinstance(shape, tuple) or not all(
            type(length) is int and length >= 0 for length in shape):
        raise UnpicklingError('an array without a type and a shape')
    dtype, count = kind.dtype(), math.prod(shape)
    if dtype.hasobject:
        if not objects or type(data) is not list or len(data) != count:
            raise UnpicklingError(f'an array {shape} of objects that are not {count} in a list')
        return data
    data = data.encode('latin1') if isinstance(data, str) else data
    if not isinstance(data, (bytes, bytearray)) or len(data) != count * dtype.itemsize:
        raise UnpicklingError(f'an array {shape} of {dtype} without its {count * dtype.itemsize} bytes')
    return bytes(data)


# By module and name. NumPy 2 renamed numpy.core to numpy._core; files hold whichever name wrote them.
CONSTRUCTORS: dict[tuple[str, str], Any] = {
    ('numpy', 'ndarray'): SafeArray,
    ('numpy', 'dtype'): SafeType,
    ('_codecs', 'encode'): _encode,
}
for _module in ('numpy.core', 'numpy._core'):
    CONSTRUCTORS[f'{_module}.multiarray', '_reconstruct'] = _reconstruct
    CONSTRUCTORS[f'{_module}.multiarray', 'scalar'] = _scalar
    CONSTRUCTORS[f'{_module}.numeric', '_frombuffer'] = _frombuffer
