"""Points of laser scanners: LAS and LAZ files, through laspy."""
import os
from pathlib import Path

import numpy as np

from m2ae_mm.files.arrays import most_bytes

LASER = ('.las', '.laz')
_INSTALL = "needs laspy: pip install 'm2ae-mm[las]' (laspy with lazrs, which unpacks LAZ)"


def read_laser(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Points ``(N, 3)`` float64, scaled and moved as the header says, and colours ``(N, 3)`` uint16 if there are any.

    Raises:
        ValueError: If laspy is not installed, or the file is of another kind or cut short.
    """
    try:
        import laspy
    except ImportError:
        raise ValueError(f'{Path(path).suffix} {_INSTALL}') from None
    try:
        with laspy.open(path) as file:
            _check_size(file.header, path)
            content = file.read()
    except laspy.errors.LaspyException as error:
        if 'backend' in str(error).lower():
            raise ValueError(f'{Path(path).suffix} {_INSTALL}') from error
        raise
    names = set(content.point_format.dimension_names)
    coloured = {'red', 'green', 'blue'} <= names
    colours = np.stack([content.red, content.green, content.blue], 1) if coloured else None
    # Some programs fill the 16 bits with 0..255, and some leave them empty.
    return np.asarray(content.xyz), colours if coloured and colours.any() else None


def _check_size(header, path: str | Path) -> None:
    """Refuse a file shorter than its header says: laspy would allocate that much, or return fewer points."""
    declared, size = header.point_count * header.point_format.size, os.path.getsize(path)
    holds = most_bytes(size) if header.are_points_compressed else size - header.offset_to_point_data
    if declared > holds:
        raise ValueError(f'its header says {header.point_count:,} points of {header.point_format.size} bytes; a file '
                         f'of {size:,} bytes cannot hold them. It is cut short or damaged')
