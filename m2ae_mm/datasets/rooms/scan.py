"""What a depth camera carried through the room records."""
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .kernels import FIRST_WALL, FLOOR, NOTHING, see_pieces, see_shell
from .layout import Placed
from .shell import Shell

__all__ = ['FIRST_WALL', 'FLOOR', 'Profile', 'PROFILES', 'scan_room']

_PIXEL = np.deg2rad(0.75)
_LOWEST, _HIGHEST = np.deg2rad(-84.0), np.deg2rad(39.0)
# Panoramas with different rays; views choose one.
_RAY_SETS = 8
# Depth cameras see nothing nearer or farther.
_NEAR, _FAR = 0.4, 6.0
# Depth from surfaces seen at grazing angles is mostly lost.
_GRAZING = 0.12
_GLASS_SEEN = 0.04
# The share of a disc's radius in the distance between points that closes most gaps
# without fattening thin parts.
_DISC = 1.05


@dataclass(frozen=True)
class Profile:
    """How hard the rooms are.

    Attributes:
        cameras: Least and most camera positions.
        noise: Depth noise at the camera in metres.
        noise_growth: Its growth per square metre of distance.
        drift: Misplacement of each view in metres.
        clutter: How much lies around; 1 is normal.
    """
    cameras: tuple[int, int]
    noise: float
    noise_growth: float
    drift: float
    clutter: float


PROFILES = {
    'normal': Profile(cameras=(4, 6), noise=0.002, noise_growth=0.0003, drift=0.002, clutter=1.0),
    'hard': Profile(cameras=(1, 2), noise=0.004, noise_growth=0.0008, drift=0.006, clutter=2.5),
}


def scan_room(shell: Shell, placed: Sequence[Placed], rng: np.random.Generator, profile: Profile,
              count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scan a room from several positions and keep ``count`` of the points, or all if there are fewer.

    Returns:
        Points (N, 3) in metres and what each is on (N,): an index into
        ``placed``, ``FLOOR`` or ``FIRST_WALL - k`` for wall k.
    """
    surface = _surface(placed, rng)
    walls = np.array([(w.axis, w.at, w.low, w.high) for w in shell.walls])
    holes = np.array([hole for wall in shell.walls for hole in wall.holes]).reshape(-1, 4)
    hole_wall = np.array([k for k, wall in enumerate(shell.walls) for _ in wall.holes], dtype=np.int64)
    cameras = camera_positions(shell, placed, rng, int(rng.integers(*profile.cameras, endpoint=True)))
    views = []
    for camera in cameras:
        rays = _rays(int(rng.integers(_RAY_SETS)))
        range_, seen = np.empty(rays.shape[:2]), np.empty(rays.shape[:2], dtype=np.int64)
        facing = np.zeros(rays.shape[:2])
        see_shell(camera, rays, walls, holes, hole_wall, shell.height, range_, seen, facing)
        see_pieces(camera, rays, _HIGHEST, _PIXEL, *surface, range_, seen, facing)
        views.append(_recorded(rays, range_, seen, facing, rng))
    view = np.repeat(np.arange(len(cameras)), [len(part[1]) for part in views])
    rays, range_, seen = (np.concatenate(parts) for parts in zip(*views))
    chosen = _choose(range_, count, rng)
    view, rays, range_, seen = view[chosen], rays[chosen], range_[chosen], seen[chosen]
    range_ += rng.normal(0, 1, len(range_)) * (profile.noise + profile.noise_growth * range_**2)
    drift = rng.normal(0, profile.drift, (len(cameras), 3))
    return (np.array(cameras) + drift)[view] + rays * range_[:, None], seen


def camera_positions(shell: Shell, placed: Sequence[Placed], rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """(3,) positions at eye height, far from each other and clear of furniture."""
    bounds = np.array([p.bounds for p in placed if p.bounds[2] < 1.8]).reshape(-1, 6)
    candidates = rng.uniform((0, 0, 1.35), (shell.width, shell.depth, 1.75), size=(200, 3))
    reach = 0.25
    blocked = ((candidates[:, None, :2] > bounds[None, :, :2] - reach)
               & (candidates[:, None, :2] < bounds[None, :, 3:5] + reach)).all(axis=2).any(axis=1)
    inside = np.array([shell.contains(x - reach, y - reach, x + reach, y + reach) for x, y, _ in candidates])
    if not (free := inside & ~blocked).any():
        # A crowded room: hold the camera over the furniture.
        free = inside if inside.any() else np.ones(len(candidates), dtype=bool)
    candidates = candidates[free]
    chosen = [candidates[0]]
    while len(chosen) < min(count, len(candidates)):
        distance = np.min([np.linalg.norm(candidates - c, axis=1) for c in chosen], axis=0)
        chosen.append(candidates[int(distance.argmax())])
    return chosen


def _surface(placed: Sequence[Placed], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Arguments of ``see_pieces`` from ``points`` to ``size``; glass mostly left out."""
    kept = [~p.piece.glass | (rng.random(len(p.piece.glass)) < _GLASS_SEEN) for p in placed]
    return (np.concatenate([p.points[k] for p, k in zip(placed, kept)]),
            np.concatenate([p.normals[k] for p, k in zip(placed, kept)]),
            np.concatenate([np.full(k.sum(), _DISC * p.piece.spacing) for p, k in zip(placed, kept)]),
            np.concatenate([np.full(k.sum(), i) for i, k in enumerate(kept)]),
            np.array([p.position for p in placed]), np.array([p.rotation[:, 0] for p in placed]),
            np.array([p.piece.size for p in placed]))


@lru_cache(maxsize=_RAY_SETS)
def _rays(number: int) -> np.ndarray:
    """(H, W, 3) unit directions, one at random inside each pixel of a panorama."""
    rng = np.random.default_rng(number)
    rows, columns = round((_HIGHEST - _LOWEST) / _PIXEL), round(2 * np.pi / _PIXEL)
    v = np.arange(rows)[:, None] + rng.random((rows, columns))
    u = np.arange(columns)[None] + rng.random((rows, columns))
    elevation, azimuth = _HIGHEST - v * _PIXEL, u * _PIXEL - np.pi
    cos = np.cos(elevation)
    return np.stack([cos * np.cos(azimuth), cos * np.sin(azimuth), np.sin(elevation)], axis=2)


def _recorded(rays: np.ndarray, range_: np.ndarray, seen: np.ndarray, facing: np.ndarray,
              rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays (K, 3), distances (K,) and what was seen (K,) of the pixels from which a depth comes back."""
    valid = np.flatnonzero((seen != NOTHING) & (range_ > _NEAR) & (range_ < _FAR) & (facing > 0.5 * _GRAZING))
    valid = valid[facing.flat[valid] > _GRAZING * (0.5 + rng.random(len(valid)))]
    return rays.reshape(-1, 3)[valid], range_.flat[valid], seen.flat[valid]


def _choose(range_: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of ``count`` of the recorded points in random order, all if there are fewer.

    Near surfaces stay denser than far ones, but less so than in the single
    views: a camera carried around evens out.
    """
    order = rng.exponential(size=len(range_)) / range_**1.3
    chosen = np.argpartition(order, count - 1)[:count] if count < len(range_) else np.arange(len(range_))
    return rng.permutation(np.sort(chosen))
