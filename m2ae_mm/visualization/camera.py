"""Where a picture is taken from."""
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Maps points in metres to pixels by a parallel projection, in which equal boxes look equal.

    Attributes:
        axes: (3, 3) rows right, down and into the picture, unit vectors.
        centre: (3,) point shown in the middle of the picture.
        scale: Pixels per metre.
        size: Height and width of the picture in pixels.
    """
    axes: np.ndarray
    centre: np.ndarray
    scale: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) as column and row, and depth (N,) in metres from ``centre``, larger is farther."""
        turned = (np.asarray(points, dtype=np.float64) - self.centre) @ self.axes.T
        middle = np.array([self.size[1], self.size[0]]) / 2
        return turned[:, :2] * self.scale + middle, turned[:, 2]


def fit_camera(points: np.ndarray, size: tuple[int, int], azimuth: float = 235.0, elevation: float = 50.0) -> Camera:
    """A camera that shows all points and leaves 4 % of the picture free on each side.

    Args:
        points: (N, 3) metres.
        size: Height and width of the picture in pixels.
        azimuth: Direction from the points to the camera in degrees, counter-clockwise from +x.
        elevation: Its height above the horizon in degrees, below 90.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if len(points) == 0:
        raise ValueError('a camera can only be fitted to points, got none.')
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    into = -np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    axes = np.stack([right, np.cross(into, right), into])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    turned = (points - middle) @ axes.T
    low, high = turned[:, :2].min(axis=0), turned[:, :2].max(axis=0)
    centre = middle + axes[:2].T @ ((low + high) / 2)
    extent = np.maximum(high - low, 1e-3)
    scale = float(((1 - 2 * 0.04) * np.array([size[1], size[0]]) / extent).min())
    return Camera(axes, centre, scale, size)
