"""One scan of a room from a file of any format, in its own frame and with its colours."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .clouds import SUFFIXES, Content, check_rows, colours_of, read_content, surface
from .local import finite_rows

SCAN_SUFFIXES = (*SUFFIXES, '.bin')
# The up axis of formats that define one.
USUAL_UP = {'.glb': 'y'}
# Points drawn from the surface of a mesh.
MESH_POINTS = 100_000
# Columns that files of bare float32 numbers have: x y z, then intensity, r g b, normals, ring and time.
_COLUMNS = range(3, 10)
# The fewest columns are taken whose spread is at most this many times the least.
_AS_GOOD = 1.1


class Scan(NamedTuple):
    """A scan in the frame of its file.

    Attributes:
        name: For messages and results.
        xyz: ``(N, 3)`` float64, finite.
        colours: ``(N, 3)`` uint8 r, g, b; None if the file has none.
        left_out: Number of points that were NaN or infinite.
    """
    name: str
    xyz: np.ndarray
    colours: np.ndarray | None = None
    left_out: int = 0


def read_scan(path: str | Path, columns: int | None = None, name: str | None = None) -> Scan:
    """A scan from one of :data:`SCAN_SUFFIXES`.

    Args:
        path: See :func:`read_content`; ``.bin`` holds bare float32 numbers, as
            mmdet3d's data sets have them.
        columns: Numbers for each point in a ``.bin`` file; None infers them.
        name: ``path`` if None.

    Raises:
        ValueError: Saying why the file gives no points.
    """
    path = Path(path)
    check_exists(path)
    content = read_bare(path, columns) if path.suffix.lower() == '.bin' else read_content(path)
    if content.faces is not None:
        middle = np.nanmean(np.where(np.isfinite(content.points), content.points, np.nan), 0, dtype=np.float64)
        drawn = surface(content._replace(points=content.points - middle), MESH_POINTS, 0, str(path), None)
        content = drawn._replace(points=drawn.points.astype(np.float64) + middle)
    return finite_scan(name or str(path), content.points, content.colours)


def check_exists(path: Path) -> None:
    """Raise ``ValueError`` for a file that does not exist or is empty."""
    if not path.is_file():
        raise ValueError('there is no such file')
    if not path.stat().st_size:
        raise ValueError('the file is empty')


def scan_of(values: np.ndarray, name: str) -> Scan:
    """A scan from an array ``(N, 3)`` or more columns; columns 4 to 6 are r, g, b if they can be.

    Raises:
        ValueError: For another shape, or without finite points.
    """
    rows = check_rows(np.asarray(values))
    return finite_scan(name, rows[:, :3], colours_of(rows[:, 3:6], len(rows)))


def finite_scan(name: str, xyz: np.ndarray, colours: np.ndarray | None) -> Scan:
    """A scan without points that are NaN or infinite.

    Raises:
        ValueError: If none is left.
    """
    with np.errstate(invalid='ignore'):  # bytes that are no numbers
        xyz = np.asarray(xyz).astype(np.float64)
    finite = finite_rows(xyz)
    if not finite.any():
        raise ValueError(f'all {len(xyz)} points hold NaN or infinite values' if len(xyz) else 'no points')
    return Scan(name, xyz[finite], None if colours is None else colours[finite], int((~finite).sum()))


def read_bare(path: Path, columns: int | None) -> Content:
    """Rows of float32 numbers.

    Raises:
        ValueError: If the numbers are no rows of that many columns.
    """
    if columns is not None and columns < 3:
        raise ValueError(f'a point has x, y, z, which are 3 columns or more; --columns (in Python columns=...) is '
                         f'{columns}')
    size = path.stat().st_size
    if columns is None:
        columns = likely_columns(np.fromfile(path, '<f4')) if size % 4 == 0 else None
    if not columns or size % (4 * columns):
        rows = f'rows of {columns} numbers' if columns else 'rows of 3 to 9 numbers'
        raise ValueError(f'{size} bytes are no {rows} in float32; a .bin file holds those of mmdet3d\'s data sets')
    rows = check_rows(np.fromfile(path, '<f4').reshape(-1, columns))
    return Content(rows[:, :3], colours_of(rows[:, 3:6], len(rows)))


def likely_columns(numbers: np.ndarray) -> int | None:
    """The likeliest number of columns, in which numbers vary least compared with all; None if none fits."""
    usable = [count for count in _COLUMNS if len(numbers) and len(numbers) % count == 0]
    if not usable:
        return None
    with np.errstate(invalid='ignore'):  # bytes that are no numbers
        numbers = np.nan_to_num(numbers.astype(np.float64), posinf=0, neginf=0)
    # By rank, so that colours in 0..255 do not outweigh the rest.
    ranks = numbers.argsort(kind='stable').argsort(kind='stable') / len(numbers)
    spread = {count: ranks.reshape(-1, count).var(0).mean() for count in usable}
    best = min(spread.values())
    return next(count for count in usable if spread[count] <= _AS_GOOD * best)


def scan_files(place: str | Path, suffixes: Sequence[str] = SCAN_SUFFIXES) -> list[Path]:
    """The file itself, or all files of known formats below a folder, sorted; hidden ones are skipped.

    Raises:
        ValueError: If a folder has none.
    """
    place = Path(place)
    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.rglob('*') if path.suffix.lower() in suffixes and path.is_file()
                   and not any(part.startswith('.') for part in path.relative_to(place).parts))
    if not found:
        raise ValueError(f'the folder {str(place)!r} has no file ending in {" ".join(suffixes)}')
    return found
