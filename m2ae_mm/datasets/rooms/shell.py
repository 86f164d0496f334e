"""Floor plan and walls of a room."""
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Wall:
    """One straight wall.

    Attributes:
        axis: 0 if the wall lies in a plane x = ``at``, 1 if in y = ``at``.
        at: Position of that plane in metres.
        low, high: Extent along the other horizontal axis in metres.
        inward: +1 or -1, the direction of the room along ``axis``.
        holes: Openings as (low, high, bottom, top) in metres.
    """
    axis: int
    at: float
    low: float
    high: float
    inward: int
    holes: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def length(self) -> float:
        return self.high - self.low

    @property
    def turn(self) -> int:
        """Degrees by which to turn an item (front -y) so that it faces into the room."""
        return {(1, -1): 0, (0, 1): 90, (1, 1): 180, (0, -1): 270}[self.axis, self.inward]


@dataclass
class Shell:
    """A rectangular or L-shaped room with its corner at the origin.

    Attributes:
        width, depth: Extent along x and y in metres.
        height: Height of the walls in metres.
        notch: The missing corner of an L as (x0, y0, x1, y1), or ``None``.
        walls: Clockwise or not, all of them.
    """
    width: float
    depth: float
    height: float
    notch: tuple[float, float, float, float] | None
    walls: list[Wall]

    def contains(self, x0: float, y0: float, x1: float, y1: float) -> bool:
        """Whether a rectangle lies on the floor plan, to a tenth of a millimetre."""
        slack = 1e-4
        if x0 < -slack or y0 < -slack or x1 > self.width + slack or y1 > self.depth + slack:
            return False
        if self.notch is None:
            return True
        nx0, ny0, nx1, ny1 = self.notch
        return x1 <= nx0 + slack or x0 >= nx1 - slack or y1 <= ny0 + slack or y0 >= ny1 - slack

    @property
    def area(self) -> float:
        """Floor area in square metres."""
        cut = 0.0 if self.notch is None else (self.notch[2] - self.notch[0]) * (self.notch[3] - self.notch[1])
        return self.width * self.depth - cut


def make_shell(rng: np.random.Generator, width: tuple[float, float], depth: tuple[float, float],
               notch_chance: float) -> Shell:
    """A random room.

    Args:
        width, depth: Ranges in metres.
        notch_chance: Probability that the room is L-shaped.
    """
    w, d, height = rng.uniform(*width), rng.uniform(*depth), rng.uniform(2.35, 2.75)
    notched = rng.random() < notch_chance
    if not notched:
        return Shell(w, d, height, None, [Wall(1, 0.0, 0.0, w, 1), Wall(0, w, 0.0, d, -1), Wall(1, d, 0.0, w, -1),
                                          Wall(0, 0.0, 0.0, d, 1)])
    x, y = w * rng.uniform(0.55, 0.72), d * rng.uniform(0.5, 0.7)
    walls = [Wall(1, 0.0, 0.0, w, 1), Wall(0, w, 0.0, y, -1), Wall(1, y, x, w, -1), Wall(0, x, y, d, -1),
             Wall(1, d, 0.0, x, -1), Wall(0, 0.0, 0.0, d, 1)]
    return Shell(w, d, height, (x, y, w, d), walls)
