"""Ray casting of a panoramic depth camera, compiled by Numba."""
import math

import numpy as np
from numba import njit

# What a pixel saw; values >= 0 are indices of placed pieces, FIRST_WALL - k is wall k.
NOTHING = -1
FLOOR = -2
FIRST_WALL = -3

# How far behind an opening's plane frames of doors and windows are still seen.
_BEHIND_OPENING = 0.3
# Discs on a side of the box are in its plane only up to quantisation; without slack half of them would be lost.
_SLACK = 0.005


@njit(cache=True)
def see_shell(origin, rays, walls, holes, hole_wall, height, range_, seen, facing):
    """Distance to floor and walls for every pixel.

    Args:
        origin: (3,) camera position.
        rays: (H, W, 3) unit directions.
        walls: (K, 4) axis, position, low, high.
        holes: (M, 4) low, high, bottom, top.
        hole_wall: (M,) wall of each hole.
        height: Height of the walls in metres.
        range_, seen, facing: (H, W) outputs: distance, what, |cosine| of the angle of incidence.
    """
    for v in range(rays.shape[0]):
        for u in range(rays.shape[1]):
            ray = rays[v, u]
            range_[v, u] = np.inf
            seen[v, u] = NOTHING
            for k in range(walls.shape[0]):
                axis = int(walls[k, 0])
                if abs(ray[axis]) < 1e-9:
                    continue
                t = (walls[k, 1] - origin[axis]) / ray[axis]
                along = origin[1 - axis] + t * ray[1 - axis]
                if t <= 0 or t >= range_[v, u] or along < walls[k, 2] or along > walls[k, 3]:
                    continue
                z = origin[2] + t * ray[2]
                range_[v, u] = t
                facing[v, u] = abs(ray[axis])
                seen[v, u] = FIRST_WALL - k if 0 <= z <= height else NOTHING
                for m in range(holes.shape[0]):
                    if (hole_wall[m] == k and holes[m, 0] < along < holes[m, 1] and holes[m, 2] < z < holes[m, 3]):
                        range_[v, u] = t + _BEHIND_OPENING / max(abs(ray[axis]), 0.1)
                        seen[v, u] = NOTHING
            if ray[2] < 0:
                t = -origin[2] / ray[2]
                if t < range_[v, u]:
                    range_[v, u] = t
                    facing[v, u] = -ray[2]
                    seen[v, u] = FLOOR


@njit(cache=True)
def see_pieces(origin, rays, top, step, points, normals, radius, owner, position, rotation, size, range_, seen, facing):
    """Let pieces cover what ``see_shell`` saw.

    Every surface point stands for a disc of ``radius`` in its tangent plane,
    cut at its piece's box.

    Args:
        origin, rays: As in ``see_shell``.
        top: Elevation of the first image row in radians; ``step`` is the pixel pitch in radians.
        points, normals: (S, 3) surface points in the room and unit normals of either sign.
        radius: (S,) metres.
        owner: (S,) index of the piece.
        position: (I, 3), rotation: (I, 2) cosine and sine, size: (I, 3): boxes of the pieces.
        range_, seen, facing: (H, W), updated.
    """
    rows, columns = range_.shape
    for s in range(points.shape[0]):
        dx, dy, dz = points[s, 0] - origin[0], points[s, 1] - origin[1], points[s, 2] - origin[2]
        flat = math.sqrt(dx * dx + dy * dy)
        distance = math.sqrt(flat * flat + dz * dz)
        if distance < 0.1:
            continue
        elevation = math.asin(dz / distance)
        spread = math.asin(min(radius[s] / distance, 1.0))
        row_low = max(int((top - elevation - spread) / step), 0)
        row_high = min(int((top - elevation + spread) / step), rows - 1)
        wide = min(spread / max(math.cos(elevation), 0.05), 0.5 * math.pi)
        azimuth = math.atan2(dy, dx) + math.pi
        nx, ny, nz = normals[s, 0], normals[s, 1], normals[s, 2]
        offset = dx * nx + dy * ny + dz * nz
        i = owner[s]
        for v in range(row_low, row_high + 1):
            for column in range(math.floor((azimuth - wide) / step), math.floor((azimuth + wide) / step) + 1):
                u = column % columns
                if range_[v, u] < distance - radius[s]:
                    continue
                slope = rays[v, u, 0] * nx + rays[v, u, 1] * ny + rays[v, u, 2] * nz
                if abs(slope) < 0.03:
                    continue
                t = offset / slope
                if t <= 0.1 or t >= range_[v, u]:
                    continue
                x, y, z = t * rays[v, u, 0], t * rays[v, u, 1], t * rays[v, u, 2]
                if (x - dx)**2 + (y - dy)**2 + (z - dz)**2 > radius[s]**2:
                    continue
                x, y, z = x + origin[0] - position[i, 0], y + origin[1] - position[i, 1], z + origin[2] - position[i, 2]
                own_x = rotation[i, 0] * x + rotation[i, 1] * y
                own_y = -rotation[i, 1] * x + rotation[i, 0] * y
                if (abs(own_x) > size[i, 0] / 2 + _SLACK or abs(own_y) > size[i, 1] / 2 + _SLACK or z < -_SLACK
                        or z > size[i, 2] + _SLACK):
                    continue
                range_[v, u] = t
                seen[v, u] = i
                facing[v, u] = abs(slope)
