"""Many clouds in one memory-mapped file."""
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np


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

    def exists(self) -> bool:
        """Whether both files are there; they are only ever put there complete."""
        return self.points_path.is_file() and self.ends_path.is_file()

    def write(self, clouds: Iterable[np.ndarray]) -> None:
        """Write all clouds ``(n_i, C)``.

        Other processes that write at the same time do not disturb: each
        writes files of its own and the last one to finish renames its files.
        """
        self.points_path.parent.mkdir(parents=True, exist_ok=True)
        raw = self.points_path.with_suffix(f'.{os.getpid()}.raw')
        try:
            ends, columns = self._write_rows(raw, clouds)
            # A .npy file is a header and the raw rows; the header needs their number.
            rows = np.memmap(raw, np.float32, 'r', shape=(ends[-1], columns)) if ends else np.empty((0, 3), np.float32)
            self._save(rows, self.points_path)
            del rows
        finally:
            raw.unlink(missing_ok=True)
        self._save(np.asarray(ends, np.int64), self.ends_path)

    @staticmethod
    def _write_rows(path: Path, clouds: Iterable[np.ndarray]) -> tuple[list[int], int]:
        """Rows of all clouds one after the other; the end row of each cloud, and the columns."""
        ends, total, columns = [], 0, 0
        with open(path, 'wb') as file:
            for cloud in clouds:
                file.write(np.ascontiguousarray(cloud, np.float32).tobytes())
                total, columns = total + len(cloud), cloud.shape[1]
                ends.append(total)
        return ends, columns

    @staticmethod
    def _save(array: np.ndarray, path: Path) -> None:
        """Save under another name first, so that ``path`` is complete once it exists."""
        temporary = path.with_suffix(f'.{os.getpid()}.npy')
        np.save(temporary, array)
        os.replace(temporary, path)

    def __getitem__(self, index: int) -> np.ndarray:
        """Cloud ``index`` as a read-only view ``(n_i, C)`` float32."""
        if self._points is None:
            # Slicing a plain view of the mapping is much faster than slicing numpy's memmap class.
            self._points = np.load(self.points_path, mmap_mode='r').view(np.ndarray)
            self._ends = np.load(self.ends_path)
        start = self._ends[index - 1] if index else 0
        return self._points[start:self._ends[index]]

    def __getstate__(self) -> dict:
        """Without the mapping, which pickling would turn into a copy of the file."""
        return {**self.__dict__, '_points': None, '_ends': None}
