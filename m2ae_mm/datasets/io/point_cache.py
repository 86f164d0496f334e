"""Many clouds in one memory-mapped file."""
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from m2ae_mm.files import load_array, replacing

_HEADER = 128  # bytes, by the length that NumPy gives it for any number of rows


class PointCache:
    """Clouds of any sizes, back to back in one ``.npy`` file that is mapped, not read.

    All loader processes of a machine share the pages, and a cloud costs one
    copy of its rows. The mapping is opened by each process that uses it.

    Args:
        path: ``<path>.points.npy`` (T, C) float32 and ``<path>.ends.npy``
            (n,) int64, the end row of each cloud.
    """

    def __init__(self, path: str | Path) -> None:
        self.points_path = Path(f'{path}.points.npy')
        self.ends_path = Path(f'{path}.ends.npy')
        self._points: np.ndarray | None = None
        self._ends: np.ndarray | None = None

    def length(self) -> int | None:
        """The number of clouds; None if a file is missing, cut short or of another kind."""
        try:
            return len(self._open())
        except (OSError, ValueError, EOFError):
            return None

    def _open(self) -> np.ndarray:
        """Map the points; the end rows.

        Raises:
            ValueError: If the files are damaged.
        """
        # Slicing a plain view of the mapping is much faster than slicing numpy's memmap class.
        points = np.load(self.points_path, mmap_mode='r').view(np.ndarray)
        ends = load_array(self.ends_path)
        starts = np.concatenate([np.zeros(1, ends.dtype), ends])
        if ends.dtype != np.int64 or points.dtype != np.float32 or points.ndim != 2 or starts[-1] != len(points) or (
                np.diff(starts) < 0).any():
            raise ValueError(f'{self.points_path} and {self.ends_path} do not belong together; delete them.')
        self._points, self._ends = points, ends
        return ends

    def write(self, clouds: Iterable[np.ndarray]) -> None:
        """Write all clouds ``(n_i, C)``.

        Several processes may write at the same time: each writes files of
        its own, and those of the last one to finish stay.

        Raises:
            DiskFullError: If there is no space for them.
        """
        self.points_path.parent.mkdir(parents=True, exist_ok=True)
        ends, columns = [], 3
        with replacing(self.points_path) as file:
            file.write(bytes(_HEADER))
            for cloud in clouds:
                file.write(np.ascontiguousarray(cloud, np.float32).tobytes())
                ends.append(len(cloud) + (ends[-1] if ends else 0))
                columns = cloud.shape[1]
            # A .npy file is a header and the raw rows; the header needs their number.
            file.seek(0)
            file.write(_header((ends[-1] if ends else 0, columns)))
        with replacing(self.ends_path) as file:
            np.save(file, np.asarray(ends, np.int64))

    def __getitem__(self, index: int) -> np.ndarray:
        """Cloud ``index`` as a read-only view ``(n_i, C)`` float32."""
        if self._points is None:
            self._open()
        start = self._ends[index - 1] if index else 0
        return self._points[start:self._ends[index]]

    def __getstate__(self) -> dict:
        """Without the mapping, which pickling would turn into a copy of the file."""
        return {**self.__dict__, '_points': None, '_ends': None}


def _header(shape: tuple[int, int]) -> bytes:
    """The beginning of a ``.npy`` file with float32 rows."""
    header = BytesIO()
    npy.write_array_header_1_0(header, dict(descr='<f4', fortran_order=False, shape=shape))
    if header.tell() != _HEADER:
        raise ValueError(f'a header of {header.tell()} bytes for the shape {shape}, {_HEADER} expected.')
    return header.getvalue()
