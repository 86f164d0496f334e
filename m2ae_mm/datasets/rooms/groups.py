"""Furniture that belongs together: a bed with its nightstands, a table with its chairs."""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import shapes
from .furniture import Furniture, Piece, Split
from .layout import Layout, Placed
from .shell import Wall

DINING_CHAIRS = ('chair', 'folding chair', 'garden chair')
TABLETOP = ('bottle', 'cup or glass', 'bowl', 'vase', 'candle', 'newspaper', 'book', 'plate', 'potted plant')
DESKTOP = ('laptop', 'desktop computer', 'desk lamp', 'telephone', 'desk accessory', 'book', 'printer',
           'cup or glass', 'desk photo frame')
WORKTOP = ('small kitchen appliance', 'kettle or pot', 'microwave', 'toaster oven', 'bread box', 'kitchen utensils',
           'bottle', 'bowl', 'paper towel holder')
SHELFTOP = ('vase', 'box', 'potted plant', 'audio device', 'speaker', 'desk photo frame', 'soft toy or doll')
FLOOR = ('box', 'backpack', 'basket', 'shoes', 'ball', 'briefcase', 'suitcase', 'toy', 'stool', 'crate', 'bean bag',
         'potted plant', 'fan', 'guitar')
RIGHT_ANGLES = (0.0, 90.0, 180.0, 270.0)


@dataclass
class Room:
    """A room being furnished.

    Attributes:
        layout: Where things stand.
        furniture: All items.
        split: Whose items may be used.
        clutter: How much lies around; 1 is normal.
    """
    layout: Layout
    furniture: Furniture
    split: Split
    clutter: float

    @property
    def rng(self) -> np.random.Generator:
        return self.layout.rng

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *kinds: str, vary: float = 0.08) -> Piece | None:
        """A random item of these kinds, stretched by up to ``vary`` overall and half that per axis."""
        piece = self.furniture.pick(self.rng, self.split, kinds)
        if piece is None or vary == 0:
            return piece
        overall = 1 + self.rng.uniform(-vary, vary)
        return piece.scaled(overall * (1 + self.rng.uniform(-vary / 2, vary / 2, size=3)))


def openings(room: Room, doors: int, windows: int, curtain_chance: float = 0.5) -> None:
    """Doors with room to open, windows with or without curtains."""
    for index in range(doors):
        kinds = ('door',) if index == 0 else ('door', 'exterior door')
        _opening(room, room.pick(*kinds, vary=0.04), swing=0.85)
    for _ in range(windows):
        placed = _opening(room, room.pick('window', vary=0.06), swing=0.0)
        if placed is not None and room.chance(curtain_chance):
            curtains(room, *placed)


def _opening(room: Room, piece: Piece | None, swing: float) -> tuple[Placed, Wall] | None:
    """Set a door or window into a wall clear of the other openings."""
    if piece is None:
        return None
    layout = room.layout
    # Catalogue depths include deep sills; walls here are thin.
    piece = piece.resized(depth=room.rng.uniform(0.08, 0.16), height=min(piece.size[2], layout.shell.height - 0.05))
    if piece.elevation + piece.size[2] > layout.shell.height - 0.02:
        return None
    half = piece.size[0] / 2
    for _ in range(12):
        wall = layout.random_wall()
        # No French windows and double doors in a small bathroom.
        widest = max(1.1, 0.4 * wall.length) if swing else 0.5 * wall.length
        if piece.size[0] > min(widest, wall.length - 0.3):
            continue
        along = room.rng.uniform(wall.low + half + 0.1, wall.high - half - 0.1)
        if any(along + half > low - 0.15 and along - half < high + 0.15 for low, high, _, _ in wall.holes):
            continue
        placed = layout.into_wall(piece, wall, along, proud=room.rng.uniform(0.02, 0.05))
        if swing:
            low, high = placed.bounds[:3].copy(), placed.bounds[3:].copy()
            if wall.inward > 0:
                high[wall.axis] += swing
            else:
                low[wall.axis] -= swing
            layout.keep_free([*low, *high])
        return placed, wall
    return None


def curtains(room: Room, window: Placed, wall: Wall) -> None:
    """One or two curtains in front of a window's edges."""
    packaged = room.furniture.pick(room.rng, room.split, ('curtain',))
    half = window.piece.size[0] / 2
    middle = float(window.position[1 - wall.axis])
    height = min(window.bounds[5] + room.rng.uniform(0.03, 0.15), room.layout.shell.height - 0.02)
    for side in (-1, 1) if room.chance(0.75) else (room.rng.choice([-1, 1]),):
        width = room.rng.uniform(0.3, 0.5 + 0.4 * half)
        piece = shapes.curtain(room.rng, width, height)
        if packaged is not None and room.chance(0.3):
            piece = packaged.resized(width=width, height=height - packaged.elevation)
        room.layout.at_wall(piece, wall, float(np.clip(middle + side * (half + 0.05), wall.low + width / 2,
                                                       wall.high - width / 2)), gap=0.06)


def bed_corner(room: Room, kinds: Sequence[str] = ('bed', 'child bed')) -> Placed | None:
    """A bed with its head to a wall, nightstands and lamps beside it."""
    bed = room.layout.against_wall(room.pick(*kinds), corner=room.chance(0.4))
    if bed is None:
        return None
    for side in (-1, 1):
        stand = room.pick('nightstand')
        if stand is None or not room.chance(0.7):
            continue
        aside = side * (bed.piece.size[0] / 2 + stand.size[0] / 2 + room.rng.uniform(0.02, 0.15))
        back = -(bed.piece.size[1] - stand.size[1]) / 2
        placed = room.layout.try_put(stand, bed.ahead(back, aside), bed.turn)
        if placed is not None and room.chance(0.6):
            room.layout.on_top(room.pick('table lamp', 'lantern lamp'), placed, bed.turn)
    return bed


def sitting_area(room: Room) -> Placed | None:
    """A sofa to the wall, coffee table, armchairs, television opposite."""
    layout, rng = room.layout, room.rng
    for _ in range(6):
        wall = layout.random_wall()
        sofa = layout.against_wall(room.pick('sofa', 'corner sofa', 'sofa bed (closed)', 'garden sofa'), wall)
        if sofa is not None:
            break
    else:
        return None
    table = room.pick('coffee table')
    front = sofa.piece.size[1] / 2
    if table is not None and 'corner' not in sofa.piece.kind:
        placed = layout.try_put(table, sofa.ahead(front + rng.uniform(0.3, 0.5) + table.size[1] / 2), sofa.turn)
        if placed is not None:
            clutter_on(room, placed, TABLETOP, 2)
            for side in (-1, 1):
                chair = room.pick('armchair', 'lounge chair')
                if chair is not None and room.chance(0.5):
                    aside = side * (table.size[0] / 2 + rng.uniform(0.3, 0.6) + chair.size[1] / 2)
                    position = placed.ahead(rng.uniform(-0.1, 0.2), aside)
                    layout.try_put(chair, position, (sofa.turn + 90 * side) % 360)
    if room.chance(0.75):
        stand = layout.against_wall(room.pick('tv stand'), layout.opposite(wall), float(sofa.position[1 - wall.axis]))
        if stand is not None:
            layout.on_top(room.pick('television'), stand, stand.turn)
    return sofa


def table_with_chairs(room: Room, kinds: Sequence[str], chairs: Sequence[str], on_it: Sequence[str]) -> Placed | None:
    """A free-standing table with chairs that face it on every side."""
    table = room.layout.free_standing(room.pick(*kinds), RIGHT_ANGLES[:2], margin=0.45)
    if table is None:
        return None
    # Chairs around one table are of one make, all the same size.
    chair = room.pick(*chairs)
    if chair is not None:
        low, high = table.bounds[:2], table.bounds[3:5]
        for turn, axis in ((0.0, 1), (180.0, 1), (90.0, 0), (270.0, 0)):
            _chair_row(room, chair, turn, axis, low, high)
    clutter_on(room, table, on_it, 3)
    return table


def _chair_row(room: Room, chair: Piece, turn: float, axis: int, low: np.ndarray, high: np.ndarray) -> None:
    """Chairs along one side of a table with floor bounds ``low``, ``high``; ``axis`` is the side's normal."""
    along = 1 - axis
    length = high[along] - low[along]
    count = int(length // (chair.size[0] + 0.12))
    outward = 1 if turn in (0.0, 270.0) else -1
    for index in range(count):
        if not room.chance(0.8):
            continue
        position = np.empty(2)
        reach = chair.size[1] / 2 + abs(room.rng.normal(0.03, 0.1))
        position[axis] = (high[axis] if outward > 0 else low[axis]) + outward * reach
        position[along] = low[along] + length * (index + 0.5) / count + room.rng.normal(0, 0.02)
        askew = room.rng.normal(0, 12) if room.chance(0.25) else 0.0
        room.layout.try_put(chair, position, turn + askew)


def workplace(room: Room) -> Placed | None:
    """A desk to the wall with a chair before it, a bin beside it and things on it."""
    desk = room.layout.against_wall(room.pick('desk') if room.chance(0.8) else room.pick('desk', 'office table'))
    if desk is None:
        return None
    chair = room.pick('office chair') if room.chance(0.75) else room.pick(*DINING_CHAIRS)
    if chair is not None:
        # A chair that is turned needs its diagonal clear of the desk.
        askew = room.rng.normal(0, 20) if room.chance(0.3) else 0.0
        reach = desk.piece.size[1] / 2 + chair.size[1] / 2 + abs(room.rng.normal(0, 0.15)) + (0.1 if askew else 0.0)
        aside = room.rng.normal(0, 0.05)
        room.layout.try_put(chair, desk.ahead(reach, aside), (desk.turn + 180 + askew) % 360)
    clutter_on(room, desk, DESKTOP, 3)
    if room.chance(0.5):
        bin_ = room.pick('waste bin', 'recycling bin')
        if bin_ is not None:
            side = room.rng.choice([-1, 1]) * (desk.piece.size[0] / 2 + bin_.size[0] / 2 + 0.05)
            room.layout.try_put(bin_, desk.ahead(0.0, side), desk.turn)
    return desk


def clutter_on(room: Room, support: Placed, kinds: Sequence[str], mean: float) -> None:
    """About ``mean`` small things on a table's top."""
    for _ in range(int(room.rng.poisson(mean * room.clutter))):
        room.layout.on_top(room.pick(*kinds), support, support.turn)


def clutter_floor(room: Room, mean: float, kinds: Sequence[str] = FLOOR) -> None:
    """About ``mean`` things lying about."""
    for _ in range(int(room.rng.poisson(mean * room.clutter))):
        turn = float(room.rng.uniform(0, 360))
        room.layout.free_standing(room.pick(*kinds), (turn,) if room.chance(0.3) else RIGHT_ANGLES)


def on_walls(room: Room, pictures: float) -> None:
    """Pictures where the wall is free, a clock or radiator now and then."""
    for _ in range(int(room.rng.poisson(pictures))):
        room.layout.against_wall(shapes.picture(room.rng), gap=(0.0, 0.01))
    if room.chance(0.4):
        room.layout.against_wall(room.pick('radiator', vary=0.1), gap=(0.02, 0.05))
    if room.chance(0.3):
        room.layout.against_wall(room.pick('clock', 'wall lamp', 'wall plate'), gap=(0.0, 0.01))


def line_up(room: Room, kinds: Sequence[str], count: int) -> None:
    """Up to ``count`` pieces with their backs to walls."""
    for _ in range(count):
        placed = room.layout.against_wall(room.pick(*kinds), corner=room.chance(0.4))
        if placed is not None and placed.piece.size[2] < 1.4:
            clutter_on(room, placed, SHELFTOP, 1.0)
