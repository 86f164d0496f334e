"""Where things stand: placing pieces in a room so that no two boxes overlap."""
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .furniture import Piece
from .shell import Shell, Wall

_ATTEMPTS = 25
# Boxes may touch; rounding of touching sides must not count as an overlap.
_TOUCH = 1e-6


@dataclass
class Placed:
    """A piece in the room.

    Attributes:
        piece: What it is.
        position: (3,) where the middle of the bottom of its box is, metres.
        turn: Degrees counter-clockwise about the vertical.
    """
    piece: Piece
    position: np.ndarray
    turn: float = 0.0

    @cached_property
    def rotation(self) -> np.ndarray:
        """(2, 2) rotation by ``turn``; exact for right angles."""
        angle = np.deg2rad(self.turn)
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = np.array([[cos, -sin], [sin, cos]])
        return np.round(matrix) if self.turn % 90 == 0 else matrix

    @cached_property
    def points(self) -> np.ndarray:
        """(P, 3) surface points in the room."""
        turned = np.concatenate([self.piece.points[:, :2] @ self.rotation.T, self.piece.points[:, 2:]], axis=1)
        return turned + self.position

    @cached_property
    def normals(self) -> np.ndarray:
        """(P, 3) unit normals in the room."""
        return np.concatenate([self.piece.normals[:, :2] @ self.rotation.T, self.piece.normals[:, 2:]], axis=1)

    @cached_property
    def bounds(self) -> np.ndarray:
        """(6,) x0, y0, z0, x1, y1, z1 of the full surface, metres.

        From the exact box of the piece for turns by right angles, from its
        surface points otherwise.
        """
        if self.turn % 90 == 0:
            half = np.abs(self.rotation @ self.piece.size[:2]) / 2
            low = self.position - (half[0], half[1], 0)
            return np.concatenate([low, low + (2 * half[0], 2 * half[1], self.piece.size[2])])
        return np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])

    def ahead(self, distance: float, aside: float = 0.0) -> np.ndarray:
        """(2,) floor position ``distance`` metres in front of its middle, ``aside`` metres to its +x side."""
        return self.position[:2] + self.rotation @ np.array([aside, -distance])


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two (6,) bounds share volume."""
    return bool(np.all(a[:3] < b[3:] - _TOUCH) and np.all(b[:3] < a[3:] - _TOUCH))


class Layout:
    """A room while it is being filled."""

    def __init__(self, shell: Shell, rng: np.random.Generator) -> None:
        self.shell = shell
        self.rng = rng
        self.placed: list[Placed] = []
        self._taken: list[np.ndarray] = []

    def keep_free(self, bounds: Sequence[float]) -> None:
        """Put nothing into these (6,) bounds, e.g. where a door swings."""
        self._taken.append(np.asarray(bounds, dtype=np.float64))

    def fits(self, candidate: Placed) -> bool:
        """Whether a piece is inside the room and clear of everything."""
        bounds = candidate.bounds
        if bounds[5] > self.shell.height + 1e-6 or not self.shell.contains(bounds[0], bounds[1], bounds[3], bounds[4]):
            return False
        return not any(overlap(bounds, taken) for taken in self._taken)

    def put(self, candidate: Placed) -> Placed:
        """Add a piece without asking."""
        self.placed.append(candidate)
        self._taken.append(candidate.bounds)
        return candidate

    def try_put(self, piece: Piece | None, at: np.ndarray, turn: float, elevation: float = 0.0) -> Placed | None:
        """Add a piece at a floor position if it fits; ``None`` in, ``None`` out."""
        if piece is None:
            return None
        candidate = Placed(piece, np.array([at[0], at[1], elevation], dtype=np.float64), turn)
        return self.put(candidate) if self.fits(candidate) else None

    def against_wall(self, piece: Piece | None, wall: Wall | None = None, near: float | None = None,
                     gap: tuple[float, float] = (0.0, 0.05), corner: bool = False) -> Placed | None:
        """Stand or hang a piece with its back to a wall.

        Args:
            piece: What; ``None`` gives ``None``.
            wall: Which wall; any by default.
            near: Preferred position of its middle along the wall, metres.
            gap: Range of the distance to the wall, metres.
            corner: Push it to one of the wall's ends.
        """
        if piece is None:
            return None
        for attempt in range(_ATTEMPTS):
            side = wall or self.random_wall()
            room = side.length - piece.size[0]
            if room < 0:
                continue
            if near is not None:
                along = near + self.rng.normal(0, 0.05 + 0.04 * attempt)
            elif corner:
                along = (side.low if self.rng.random() < 0.5 else side.high - piece.size[0]) + piece.size[0] / 2
            else:
                along = side.low + piece.size[0] / 2 + room * self.rng.random()
            along = float(np.clip(along, side.low + piece.size[0] / 2, side.high - piece.size[0] / 2))
            placed = self.at_wall(piece, side, along, self.rng.uniform(*gap))
            if placed is not None:
                return placed
        return None

    def at_wall(self, piece: Piece, wall: Wall, along: float, gap: float = 0.0) -> Placed | None:
        """Put a piece at exactly this place along a wall if it fits."""
        return self.try_put(piece, self._wall_position(wall, along, gap + piece.size[1] / 2), wall.turn,
                            piece.elevation)

    def into_wall(self, piece: Piece, wall: Wall, along: float, proud: float) -> Placed:
        """Set a door or window into a wall, ``proud`` metres of it inside the room, and cut the hole."""
        position = self._wall_position(wall, along, proud - piece.size[1] / 2)
        half = piece.size[0] / 2
        wall.holes.append((along - half, along + half, piece.elevation, piece.elevation + piece.size[2]))
        return self.put(Placed(piece, np.array([*position, piece.elevation]), wall.turn))

    def free_standing(self, piece: Piece | None, turns: Sequence[float], margin: float = 0.0) -> Placed | None:
        """Put a piece anywhere on the floor.

        Args:
            piece: What; ``None`` gives ``None``.
            turns: Degrees to choose from.
            margin: Least distance to the outer walls in metres.
        """
        if piece is None:
            return None
        for _ in range(_ATTEMPTS):
            turn = float(self.rng.choice(turns))
            half = Placed(piece, np.zeros(3), turn).bounds[3:5] + margin
            room = np.array([self.shell.width, self.shell.depth]) - 2 * half
            if (room < 0).any():
                continue
            placed = self.try_put(piece, half + room * self.rng.random(2), turn)
            if placed is not None:
                return placed
        return None

    def on_top(self, piece: Piece | None, support: Placed, turn: float) -> Placed | None:
        """Put a small piece on another one's top, anywhere on it."""
        # A thing put at a height inside the support's box would overlap that box.
        if piece is None or support.piece.top < support.piece.size[2] - 0.02:
            return None
        low, high = support.bounds[:2], support.bounds[3:5]
        half = Placed(piece, np.zeros(3), turn).bounds[3:5]
        room = high - low - 2 * half
        if (room < 0).any():
            return None
        for _ in range(4):
            at = low + half + room * self.rng.random(2)
            placed = self.try_put(piece, at, turn, elevation=float(support.bounds[5]))
            if placed is not None:
                return placed
        return None

    def random_wall(self) -> Wall:
        """A wall, long ones more often."""
        lengths = np.array([wall.length for wall in self.shell.walls])
        return self.shell.walls[int(self.rng.choice(len(lengths), p=lengths / lengths.sum()))]

    def opposite(self, wall: Wall) -> Wall:
        """The wall that faces this one."""
        facing = [w for w in self.shell.walls if w.axis == wall.axis and w.inward != wall.inward]
        return max(facing, key=lambda w: min(w.high, wall.high) - max(w.low, wall.low))

    @staticmethod
    def _wall_position(wall: Wall, along: float, inside: float) -> np.ndarray:
        position = np.empty(2)
        position[wall.axis] = wall.at + wall.inward * inside
        position[1 - wall.axis] = along
        return position
