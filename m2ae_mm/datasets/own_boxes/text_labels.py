"""Boxes in CSV tables and in the text files of SUN RGB-D."""
import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np

from m2ae_mm.errors import UserError, reason
from m2ae_mm.files import read_text

from ..io.clouds import is_number
from .boxes import LabelledBox, LeftOut, labelled_box

# Possible names of a scan, and its boxes.
Found = list[tuple[tuple[str, ...], list[LabelledBox]]]
COLUMNS = ('file', 'class', 'x', 'y', 'z', 'dx', 'dy', 'dz', 'yaw')
_DELIMITERS = ',;\t'
# Numbers of a line of SUN RGB-D: a box in the image (4), centre (3), half width, length and height, direction (2).
_SUN_NUMBERS = 12


def read_csv(path: Path, left_out: LeftOut) -> Found:
    """A table of the :data:`COLUMNS` for many scans; the yaw may be absent, further columns are ignored.

    Lines that are no boxes go to ``left_out``.

    Raises:
        UserError: If a column is missing.
    """
    text = read_text(path)
    head = text.partition('\n')[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(StringIO(text), delimiter=delimiter)
    columns = [name.strip().lower() for name in next(rows, [])]
    lacking = [name for name in COLUMNS[:-1] if name not in columns]
    if lacking:
        raise UserError(f'it lacks the columns {", ".join(lacking)}; the first line must name {",".join(COLUMNS)}, and '
                        f'names {",".join(columns)[:200] or "nothing"}')
    found: dict[str, list[LabelledBox]] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        where = f'{path.name}, line {rows.line_num}'
        cells = dict(zip(columns, map(str.strip, row)))
        try:
            if not cells['file']:
                raise UserError('it names no file')
            boxes = found.setdefault(cells['file'], [])
            boxes.append(labelled_box(where, cells.get('class'), [cells.get(name) for name in ('x', 'y', 'z')],
                                      [cells.get(name) for name in ('dx', 'dy', 'dz')], _yaw(cells.get('yaw'))))
        except UserError as error:
            left_out.add(where, reason(error))
    return [((name, ), boxes) for name, boxes in found.items()]


def _yaw(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        raise UserError(f'its yaw is {text!r}, which is no number') from None


def read_sunrgbd(path: Path, left_out: LeftOut) -> Found:
    """A text file with one box per line: class, a box in the image, centre, half sides, direction of the length.

    The file is named like the scan. Lines that are no boxes go to ``left_out``.

    Raises:
        UserError: If no line is a box.
    """
    lines = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    if lines and not any(is_sunrgbd(words) for _, words in lines):
        raise UserError(f'no line is a class and {_SUN_NUMBERS} numbers, as in label files of SUN RGB-D')
    boxes = []
    for number, words in lines:
        where = f'{path.name}, line {number}'
        try:
            if not is_sunrgbd(words):
                raise UserError(f'it is no class and {_SUN_NUMBERS} numbers')
            values = np.array(words[-_SUN_NUMBERS:], np.float64)
            width, length, height = values[7:10]
            boxes.append(labelled_box(where, ' '.join(words[:-_SUN_NUMBERS]), values[4:7],
                                      2 * np.array([length, width, height]), float(np.arctan2(values[11], values[10]))))
        except UserError as error:
            left_out.add(where, reason(error))
    return [((path.stem, ), boxes)]


def is_sunrgbd(words: Sequence[str]) -> bool:
    """Whether the words of a line are a class and the numbers of a box."""
    return len(words) > _SUN_NUMBERS and not is_number(words[0]) and all(map(is_number, words[-_SUN_NUMBERS:]))
