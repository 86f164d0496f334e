"""Writes results to files."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.files import write_json
from m2ae_mm.visualization.render import EDGES

# In a PLY file, points mark the edges of a box: their distance in metres, and the most for one edge.
_STEP, _MOST = 0.01, 400


class Writer:
    """Writes result files into a folder, which is made with the first file.

    Args:
        folder: None writes nothing.
        wanted: Kinds of files; by default all known ones.
        known: Kinds that the inferencer can write.

    Raises:
        ValueError: For unknown kinds, or kinds without a folder.
    """

    def __init__(self, folder: str | Path | None, wanted: Sequence[str], known: Sequence[str]) -> None:
        unknown = [kind for kind in wanted if kind not in known]
        if unknown:
            raise ValueError(f'results are written as {", ".join(known)}; got {", ".join(map(str, unknown))}.')
        if wanted and not folder:
            raise ValueError(f'write={list(wanted)} needs a folder: set out_dir.')
        self.folder = Path(folder) if folder else None
        self.wanted = tuple(wanted or known) if folder else ()

    def path(self, kind: str, stem: str) -> Path | None:
        """Where a file of this kind goes; None if it is not wanted."""
        if kind not in self.wanted:
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f'cannot write into {str(self.folder)!r} ({error.strerror}). Choose another folder with '
                             '--out.') from error
        return self.folder / f'{stem}.{kind}'

    def json(self, stem: str, content: dict) -> None:
        """Write plain values as JSON, if that is wanted."""
        path = self.path('json', stem)
        if path:
            write_json(path, content)


def plain(value):
    """Arrays and numbers of NumPy as lists and numbers of Python, at any depth."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def edge_points(corners: np.ndarray, step: float = _STEP) -> tuple[np.ndarray, np.ndarray]:
    """Points along the edges of boxes with corners ``(M, 8, 3)``, dense enough to be seen as lines in every viewer.

    Returns:
        ``(P, 3)``, and the box ``(P,)`` of each.
    """
    points, owners = [np.empty((0, 3))], [np.empty(0, np.int64)]
    for number, box in enumerate(corners):
        for first, last in EDGES:
            count = int(np.clip(np.linalg.norm(box[last] - box[first]) / step, 2, _MOST))
            points.append(box[first] + np.linspace(0, 1, count)[:, None] * (box[last] - box[first]))
            owners.append(np.full(count, number))
    return np.concatenate(points), np.concatenate(owners)
