"""Plausible colours; a scan has them, and pictures are easier to read with them."""
from collections.abc import Sequence

import numpy as np

from .kernels import FIRST_WALL, FLOOR
from .layout import Placed

_WOODS = ((181, 136, 88), (139, 94, 60), (205, 170, 125), (104, 70, 48), (222, 196, 158))
_CLOTHS = ((120, 132, 150), (150, 60, 55), (70, 90, 80), (190, 180, 165), (60, 70, 105), (160, 130, 100))
_WHITES = ((238, 238, 235), (225, 228, 230), (245, 240, 228))
_DARKS = ((60, 60, 64), (90, 92, 96), (45, 50, 60))
_VIVIDS = ((200, 70, 50), (60, 120, 180), (230, 180, 60), (90, 150, 80), (150, 90, 150), (235, 235, 230))
_GREENS = ((70, 110, 60), (95, 130, 75), (60, 95, 70))
_FLOORS = (*_WOODS, (170, 168, 160), (130, 128, 125), (160, 140, 120))
_WALLS = ((232, 228, 218), (215, 222, 226), (235, 224, 200), (222, 216, 226), (226, 232, 220), (240, 240, 238))
_BY_LABEL = {0: _WOODS + _WHITES, 1: _CLOTHS, 2: _CLOTHS + _WOODS + _DARKS, 3: _CLOTHS, 4: _WOODS, 5: _WOODS + _WHITES,
             6: _WHITES + _WOODS, 7: _WOODS, 9: _DARKS + _WOODS, 10: _WOODS + _WHITES, 11: _CLOTHS, 12: _WHITES,
             13: _CLOTHS + _WHITES, 14: _WHITES, 15: _WHITES, 16: _WHITES}


def colours(placed: Sequence[Placed], walls: int, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours (N, 3) in 0..255 for points ``seen`` (N,) on pieces, floor or ``walls`` walls, see ``scan_room``."""
    # Things of one make look alike: the chairs around a table.
    makes: dict[tuple[str, float], np.ndarray] = {}
    chosen = [makes.setdefault((p.piece.item, p.piece.size[0]), _pick(rng, _palette(p))) for p in placed]
    wall = _pick(rng, _WALLS)
    floor = _pick(rng, _FLOORS)
    # One row per thing: pieces, floor, then walls, which differ a little in light.
    table = np.array([*chosen, floor, *(wall * rng.uniform(0.9, 1.0) for _ in range(walls))])
    row = np.where(seen >= 0, seen, np.where(seen == FLOOR, len(placed), len(placed) + 1 + FIRST_WALL - seen))
    return np.clip(np.round(table[row] + rng.normal(0, 6, (len(seen), 1)) + rng.normal(0, 2, (len(seen), 3))), 0, 255)


def _palette(placed: Placed) -> Sequence[tuple[int, int, int]]:
    if 'plant' in placed.piece.kind:
        return _GREENS
    # Small things may be of any colour, large ones rarely are.
    other = _VIVIDS if placed.piece.size.max() < 0.8 else _WOODS + _WHITES + _DARKS
    return _BY_LABEL.get(placed.piece.label, other)


def _pick(rng: np.random.Generator, palette: Sequence[tuple[int, int, int]]) -> np.ndarray:
    return np.array(palette[int(rng.integers(len(palette)))]) + rng.normal(0, 8, 3)
