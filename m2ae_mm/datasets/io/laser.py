"""Points of laser scanners: LAS and LAZ files, through laspy."""
from pathlib import Path

import numpy as np

LASER = ('.las', '.laz')
_INSTALL = "needs laspy: pip install 'm2ae-mm[las]' (laspy with lazrs, which unpacks LAZ)"


def read_laser(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Points ``(N, 3)`` float64, scaled and moved as the header says, and colours ``(N, 3)`` uint16 if there are any.

    Raises:
        ValueError: If laspy is not installed, or the file is no such file.
    """
    try:
        import laspy
    except ImportError:
        raise ValueError(f'{Path(path).suffix} {_INSTALL}') from None
    try:
        content = laspy.read(path)
    except laspy.errors.LaspyException as error:
        if 'backend' in str(error).lower():
            raise ValueError(f'{Path(path).suffix} {_INSTALL}') from error
        raise
    names = set(content.point_format.dimension_names)
    coloured = {'red', 'green', 'blue'} <= names
    colours = np.stack([content.red, content.green, content.blue], 1) if coloured else None
    # Some programs fill the 16 bits with 0..255, and some leave them empty.
    return np.asarray(content.xyz), colours if coloured and colours.any() else None
