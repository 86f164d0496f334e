"""Conversion of shapes' clouds to float32, in one place."""
import logging

import numpy as np
from mmengine.logging import print_log

_LARGEST = float(np.finfo(np.float32).max)
# A cloud farther from the origin than this many times its size is moved there. Float32 resolves nearer ones to 1e-5 of
# their size.
_FAR = 100
# Spacing of the numbers in a file, as a share of the cloud's size, above which a remark is made.
_COARSE = 1e-4
# Clouds of fewer points, such as the corners of a box, may well have round coordinates.
_MANY = 100


class Remarks:
    """Points left out of the clouds of a data set, and doubts about them; logged once.

    Args:
        owner: The data set, for the message.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.dropped: dict[str, int] = {}
        self.coarse: list[str] = []
        self._said = False

    def drop(self, name: str, points: int) -> None:
        """Note points that a cloud has lost."""
        self.dropped[name] = self.dropped.get(name, 0) + points

    def say(self) -> None:
        """Log what was found so far, if anything, unless this was done before."""
        text = str(self)
        if text and not self._said:
            self._said = True
            print_log(text, 'current', logging.WARNING)

    def __str__(self) -> str:
        lines = []
        if self.dropped:
            lines.append(f'{sum(self.dropped.values()):,} points of {len(self.dropped)} clouds hold NaN or infinite '
                         f'values and are left out, the first in {next(iter(self.dropped))!r}.')
        if self.coarse:
            lines.append(f'{len(self.coarse)} clouds lie so far from the origin that their single-precision numbers '
                         f'cannot hold their shape, the first is {self.coarse[0]!r}. Save them in double precision, '
                         'or with an origin near them.')
        return '\n'.join(f'{self.owner}: {line}' for line in lines)


def local_cloud(points: np.ndarray, name: str, remarks: Remarks | None = None) -> np.ndarray:
    """A cloud's finite points in single precision, centred if they lie far from the origin.

    Surveyed objects have coordinates of millions of metres. The middle of
    such a cloud is subtracted in float64; other clouds are not moved.

    Args:
        points: ``(N, C)`` numbers of any type; the first three columns are x, y, z.
        name: Of the cloud, for ``remarks``.
        remarks: Where points left out and doubts are noted.

    Returns:
        ``(n, C)`` float32, or float16 as given.

    Raises:
        ValueError: If there are no points, or none of them is finite.
    """
    points = np.asarray(points)
    if points.dtype not in (np.float16, np.float32):
        points = points.astype(np.float64)
    if not len(points):
        raise ValueError('no points')
    finite = finite_rows(points[:, :3])
    if not finite.all():
        if not finite.any():
            raise ValueError(f'all {len(points)} points hold NaN or infinite values')
        if remarks is not None:
            remarks.drop(name, int((~finite).sum()))
        points = points[finite]
    origin = far_origin(points[:, :3])
    if origin is not None:
        if remarks is not None and _is_coarse(points[:, :3]):
            remarks.coarse.append(name)
        points = points.astype(np.float64)
        points[:, :3] -= origin
    return points.astype(np.float32) if points.dtype == np.float64 else points


def finite_rows(xyz: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: which points ``(N, 3)`` have only finite coordinates, also as float32."""
    if float(np.abs(xyz).max(initial=0)) <= _LARGEST:
        return np.ones(len(xyz), bool)
    with np.errstate(over='ignore'):
        return np.isfinite(xyz.astype(np.float32)).all(1)


def far_origin(xyz: np.ndarray) -> np.ndarray | None:
    """The middle ``(3,)`` float64 of finite points ``(N, 3)`` so far out that float32 would blur them; else None."""
    low, high = xyz.min(0).astype(np.float64), xyz.max(0).astype(np.float64)
    if max(np.abs(low).max(), np.abs(high).max()) <= _FAR * (high - low).max():
        return None
    return (low + high) / 2


def float_step(xyz: np.ndarray) -> float:
    """Spacing of floating-point numbers at the largest coordinate: half precision if ``xyz`` has it, else single."""
    kind = xyz.dtype if xyz.dtype == np.float16 else np.float32
    return float(np.spacing(np.abs(xyz).max().astype(kind)))


def _is_coarse(xyz: np.ndarray) -> bool:
    """Whether all numbers are in single precision, and their spacing is visible in the shape."""
    if len(xyz) < _MANY or float_step(xyz) <= _COARSE * np.ptp(xyz.astype(np.float64), axis=0).max():
        return False
    return np.array_equal(xyz, xyz.astype(np.float32))
