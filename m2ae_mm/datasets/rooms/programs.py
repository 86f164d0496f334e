"""Room types: which furniture goes where."""
from collections.abc import Callable

import numpy as np

from . import groups, shapes
from .furniture import Furniture, Piece, Split
from .groups import DINING_CHAIRS, SHELFTOP, TABLETOP, WORKTOP, Room
from .layout import Layout, Placed
from .shell import Shell, Wall, make_shell

_COUNTER_HEIGHT = 0.86
_BINS = ('waste bin', 'recycling bin', 'outdoor waste bin')
_BOOKSHELVES = ('bookcase', 'shelf unit')


def bedroom(room: Room) -> None:
    groups.openings(room, 1, int(room.rng.integers(1, 3)))
    kinds = ('bed', 'child bed') if room.chance(0.85) else ('bunk bed', 'loft bed', 'day bed', 'hospital bed')
    groups.bed_corner(room, kinds)
    if room.chance(0.2):
        groups.bed_corner(room, ('child bed', 'bed'))
    groups.line_up(room, ('wardrobe', 'dresser'), 1 + room.chance(0.4))
    if room.chance(0.5):
        groups.workplace(room)
    groups.line_up(room, _BOOKSHELVES, int(room.chance(0.4)))
    groups.line_up(room, ('cupboard', 'filing cabinet', 'kitchen cabinet'), int(room.chance(0.25)))
    if room.chance(0.4):
        room.layout.against_wall(room.pick('armchair', 'chair', 'lounge chair'), gap=(0.05, 0.3))
    _bin(room, 0.4)
    _finish(room, pictures=1.5, floor=1.5, rug=0.4)


def living_room(room: Room) -> None:
    groups.openings(room, 1 + room.chance(0.4), int(room.rng.integers(1, 4)))
    groups.sitting_area(room)
    if room.layout.shell.area > 16 and room.chance(0.4):
        groups.sitting_area(room)
    groups.line_up(room, _BOOKSHELVES, int(room.rng.integers(0, 3)))
    if room.chance(0.6):
        groups.table_with_chairs(room, ('dining table', 'covered table'), DINING_CHAIRS, TABLETOP)
    if room.chance(0.25):
        groups.workplace(room)
    groups.line_up(room, ('cupboard', 'office cabinet', 'dresser', 'piano', 'fireplace'), int(room.chance(0.6)))
    groups.line_up(room, ('potted plant', 'floor lamp'), int(room.rng.integers(0, 3)))
    _bin(room, 0.25)
    _finish(room, pictures=2.0, floor=1.5, rug=0.4)


def kitchen(room: Room) -> None:
    groups.openings(room, 1 + room.chance(0.3), int(room.rng.integers(1, 3)))
    walls = sorted(room.layout.shell.walls, key=lambda wall: -wall.length)
    first = walls[int(room.rng.integers(2))]
    kitchen_run(room, first)
    if room.chance(0.45):
        kitchen_run(room, next(wall for wall in walls if wall.axis != first.axis))
    if room.chance(0.3):
        island = room.layout.free_standing(room.pick('kitchen island', 'bar counter'), groups.RIGHT_ANGLES, 0.8)
        if island is not None:
            groups.clutter_on(room, island, WORKTOP, 2)
    if room.chance(0.75):
        groups.table_with_chairs(room, ('dining table', 'bar table', 'covered table'), DINING_CHAIRS, TABLETOP)
    _bin(room, 0.8)
    _finish(room, pictures=0.6, floor=1.0, rug=0.0)


def bathroom(room: Room) -> None:
    layout, rng = room.layout, room.rng
    groups.openings(room, 1, int(room.chance(0.5)), curtain_chance=0.2)
    tub = layout.against_wall(room.pick('bathtub'), gap=(0.0, 0.01), corner=True) if room.chance(0.75) else None
    if tub is not None and room.chance(0.75):
        _hang_shower_curtain(room, tub)
    layout.against_wall(room.pick('toilet'), gap=(0.0, 0.02))
    if layout.shell.area > 6 and room.chance(0.25):
        layout.against_wall(room.pick('urinal'), gap=(0.0, 0.0))
    layout.against_wall(room.pick('washbasin'), gap=(0.0, 0.01))
    if room.chance(0.3):
        layout.against_wall(room.pick('washbasin', 'vanity'), gap=(0.0, 0.01))
    if tub is None and room.chance(0.85):
        _shower_corner(room)
    groups.line_up(room, ('kitchen cabinet', 'vanity', 'cupboard'), int(room.chance(0.4)))
    groups.line_up(room, ('washing machine', 'clothes dryer'), int(room.chance(0.4)))
    for kinds in (('towel rack', 'towel'), ('toilet accessories',), ('shower fittings', 'water heater')):
        if room.chance(0.5):
            layout.against_wall(room.pick(*kinds), gap=(0.0, 0.01))
    _bin(room, 0.6)
    groups.clutter_floor(room, 0.6, ('basket', 'mat', 'stool', 'basin', 'potty'))
    if rng.random() < 0.3:
        layout.against_wall(shapes.picture(rng), gap=(0.0, 0.01))


def office(room: Room) -> None:
    groups.openings(room, 1, int(room.rng.integers(1, 4)))
    for _ in range(int(np.clip(round(room.layout.shell.area / 6), 1, 4))):
        groups.workplace(room)
    groups.line_up(room, _BOOKSHELVES, int(room.rng.integers(0, 3)))
    groups.line_up(room, ('filing cabinet', 'office cabinet', 'cupboard'), int(room.rng.integers(0, 3)))
    if room.chance(0.35):
        groups.table_with_chairs(room, ('office table', 'dining table'), ('office chair', 'chair'), TABLETOP)
    if room.chance(0.35):
        room.layout.against_wall(shapes.whiteboard(room.rng), gap=(0.0, 0.01))
    if room.chance(0.2):
        groups.sitting_area(room)
    _bin(room, 0.6)
    _finish(room, pictures=1.0, floor=1.5, rug=0.1)


def classroom(room: Room) -> None:
    layout, rng = room.layout, room.rng
    groups.openings(room, 1 + room.chance(0.4), int(rng.integers(1, 4)))
    layout.against_wall(shapes.whiteboard(rng), gap=(0.0, 0.01))
    table, chair = room.pick('office table', 'dining table'), room.pick('chair', 'class seat', 'folding chair')
    if table is not None and chair is not None:
        _rows(room, table.resized(width=min(table.size[0], 1.3), depth=min(table.size[1], 0.8)), chair)
    groups.line_up(room, ('office cabinet', 'cupboard', 'filing cabinet', *_BOOKSHELVES), int(rng.integers(1, 4)))
    if room.chance(0.5):
        groups.workplace(room)
    _bin(room, 0.8)
    _finish(room, pictures=2.0, floor=2.0, rug=0.0)


def studio(room: Room) -> None:
    """One room for everything."""
    groups.openings(room, 1 + room.chance(0.5), int(room.rng.integers(1, 3)))
    kitchen_run(room, room.layout.random_wall(), share=0.6)
    groups.bed_corner(room, ('bed', 'child bed', 'sofa bed (opened)'))
    groups.sitting_area(room)
    if room.chance(0.6):
        groups.table_with_chairs(room, ('dining table', 'bar table', 'child table'), DINING_CHAIRS, TABLETOP)
    if room.chance(0.6):
        groups.workplace(room)
    groups.line_up(room, ('wardrobe', *_BOOKSHELVES, 'dresser'), 2)
    _bin(room, 0.7)
    _finish(room, pictures=1.5, floor=2.0, rug=0.3)


def kitchen_run(room: Room, wall: Wall, share: float = 1.0) -> None:
    """Lower cabinets with a worktop, cooker and refrigerator along a share of a wall, cabinets above."""
    rng, base = room.rng, []
    fridge = room.layout.against_wall(room.pick('refrigerator'), wall, corner=True, gap=(0.02, 0.06))
    along = wall.low if fridge is None or fridge.position[1 - wall.axis] > wall.low + wall.length / 2 else \
        float(fridge.bounds[4 - wall.axis])
    end = along + share * (wall.high - along)
    makes = [room.pick('kitchen cabinet', vary=0.0) for _ in range(6)]
    lower = [piece for piece in makes if piece is not None and piece.elevation == 0 and piece.size[2] < 1
             and piece.size[1] < 0.7] or [room.pick('sink cabinet', vary=0.0)]
    sink_at, cooker_at = rng.integers(1, 4), rng.integers(3, 6)
    for index in range(12):
        piece = lower[index % len(lower)].resized(depth=0.6, height=_COUNTER_HEIGHT)
        if index == sink_at:
            sink = room.pick('sink cabinet', vary=0.0)
            piece = sink.resized(depth=0.6) if sink is not None else piece
        elif index == cooker_at:
            piece = room.pick('stove', 'oven', vary=0.03) or piece
        if along + piece.size[0] > end:
            break
        placed = room.layout.at_wall(piece, wall, along + piece.size[0] / 2)
        along += piece.size[0] if placed is not None else 0.2
        base.append(placed)
    for run in _runs(base):
        _worktop_over(room, run, wall)
    _upper_cabinets(room, wall, end)


def _runs(base: list[Placed | None]) -> list[list[Placed]]:
    """Neighbouring lower cabinets of counter height."""
    runs: list[list[Placed]] = [[]]
    for placed in base:
        if placed is not None and abs(placed.bounds[5] - _COUNTER_HEIGHT) < 1e-6:
            runs[-1].append(placed)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _worktop_over(room: Room, run: list[Placed], wall: Wall) -> None:
    along = 1 - wall.axis
    low, high = min(p.bounds[along] for p in run), max(p.bounds[3 + along] for p in run)
    top = shapes.worktop(room.rng, high - low, 0.62, _COUNTER_HEIGHT)
    placed = room.layout.at_wall(top, wall, (low + high) / 2)
    if placed is not None:
        groups.clutter_on(room, placed, WORKTOP, 1.5 * (high - low))


def _upper_cabinets(room: Room, wall: Wall, end: float) -> None:
    along = wall.low
    make = room.pick('kitchen cabinet', vary=0.0)
    for _ in range(12):
        piece = make if make is not None and make.elevation > 1 and make.size[1] < 0.5 else None
        if piece is None or along + piece.size[0] > end:
            make = room.pick('kitchen cabinet', vary=0.0)
            continue
        placed = room.layout.at_wall(piece, wall, along + piece.size[0] / 2)
        along += piece.size[0] if placed is not None else 0.25


def _hang_shower_curtain(room: Room, tub: Placed) -> None:
    """Along the open long side of a bathtub."""
    piece = shapes.shower_curtain(room.rng, tub.piece.size[0] * room.rng.uniform(0.35, 0.9))
    packaged = room.furniture.pick(room.rng, room.split, ('shower curtain',))
    if packaged is not None and room.chance(0.3):
        piece = packaged.resized(depth=0.12)
    slack = (tub.piece.size[0] - piece.size[0]) / 2
    side = room.rng.choice([-1, 1]) * max(slack, 0)
    room.layout.try_put(piece, tub.ahead(tub.piece.size[1] / 2 + 0.08, side), tub.turn, max(piece.elevation, 0.02))


def _shower_corner(room: Room) -> None:
    """A shower without a tub: fittings on the wall and a curtain before them."""
    shower = room.layout.against_wall(room.pick('shower fittings'), corner=True, gap=(0.0, 0.01))
    if shower is not None:
        piece = shapes.shower_curtain(room.rng, room.rng.uniform(0.7, 1.1))
        room.layout.try_put(piece, shower.ahead(room.rng.uniform(0.7, 0.9)), shower.turn, piece.elevation)


def _rows(room: Room, table: Piece, chair: Piece) -> None:
    """Tables in rows, all facing one way, one or two chairs behind each."""
    shell = room.layout.shell
    gap = room.rng.uniform(0.25, 0.5)
    across = int((shell.width - 1.0 + gap) // (table.size[0] + gap))
    deep = int((shell.depth - 1.4 + gap) // (table.size[1] + chair.size[1] + gap))
    for i in range(across):
        for j in range(deep):
            at = np.array([0.5 + table.size[0] / 2 + i * (table.size[0] + gap),
                           0.7 + table.size[1] / 2 + chair.size[1] + j * (table.size[1] + chair.size[1] + gap)])
            placed = room.layout.try_put(table, at + room.rng.normal(0, 0.03, 2), 0.0)
            if placed is None:
                continue
            seats = 2 if table.size[0] > 2.2 * chair.size[0] else 1
            for seat in range(seats):
                aside = (seat + 0.5) * table.size[0] / seats - table.size[0] / 2
                reach = table.size[1] / 2 + chair.size[1] / 2 + abs(room.rng.normal(0.02, 0.06))
                if room.chance(0.85):
                    room.layout.try_put(chair, placed.ahead(reach, aside), 180.0)
            groups.clutter_on(room, placed, groups.DESKTOP, 0.5)


def _bin(room: Room, chance: float) -> None:
    if room.chance(chance):
        room.layout.against_wall(room.pick(*_BINS), gap=(0.02, 0.2), corner=room.chance(0.5))


def _finish(room: Room, pictures: float, floor: float, rug: float) -> None:
    groups.on_walls(room, pictures)
    groups.clutter_floor(room, floor)
    if room.chance(0.25):
        groups.line_up(room, SHELFTOP[:1], 1)
    if room.chance(rug):
        size = room.rng.uniform((1.2, 0.8), (2.4, 1.6))
        room.layout.free_standing(shapes.rug(room.rng, *size), groups.RIGHT_ANGLES[:2])


# name: (program, range of width, range of depth in metres, chance of an L shape)
PROGRAMS: dict[str, tuple[Callable[[Room], None], tuple[float, float], tuple[float, float], float]] = {
    'living room': (living_room, (3.8, 6.2), (3.4, 5.2), 0.25),
    'bedroom': (bedroom, (3.0, 4.8), (2.9, 4.4), 0.15),
    'kitchen': (kitchen, (2.8, 4.8), (2.6, 4.2), 0.1),
    'bathroom': (bathroom, (1.9, 3.2), (1.8, 2.8), 0.0),
    'office': (office, (3.2, 6.0), (3.0, 5.0), 0.15),
    'classroom': (classroom, (5.5, 8.0), (4.8, 6.5), 0.0),
    'studio': (studio, (4.5, 6.5), (4.0, 5.5), 0.3),
}
# Rooms take turns, so that even a few of them show every class.
CYCLE = ('living room', 'bedroom', 'kitchen', 'bathroom', 'office', 'studio', 'classroom', 'bedroom', 'kitchen',
         'bathroom', 'living room', 'office')


def furnish(name: str, rng: np.random.Generator, furniture: Furniture, split: Split,
            clutter: float) -> tuple[Shell, list[Placed]]:
    """A furnished room of one of the :data:`PROGRAMS`; ``clutter`` is 1 for a normal one."""
    program, width, depth, notch = PROGRAMS[name]
    shell = make_shell(rng, width, depth, notch)
    room = Room(Layout(shell, rng), furniture, split, clutter)
    program(room)
    return shell, room.layout.placed
