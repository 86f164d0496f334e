"""Pictures of points and boxes in plain NumPy: no screen, no OpenGL."""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .camera import Camera

# Of a point, itself included, that its normal is estimated from.
_NEIGHBOURS = 12
# Dots on an edge of a box, at the most.
_MOST_STEPS = 20_000
# Edges of a box: pairs of corners in the order of ``box_corners``.
EDGES = ((0, 1), (1, 3), (3, 2), (2, 0), (4, 5), (5, 7), (7, 6), (6, 4), (0, 4), (1, 5), (2, 6), (3, 7))


@dataclass
class Canvas:
    """A picture being drawn.

    Attributes:
        image: (H, W, 3) float64 colours in 0..255.
        depth: (H, W) distance of what is shown, infinite where nothing is.
    """
    image: np.ndarray
    depth: np.ndarray

    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return np.clip(np.round(self.image), 0, 255).astype(np.uint8)


def blank(size: tuple[int, int]) -> Canvas:
    """An empty white canvas of the given height and width."""
    return Canvas(np.full((*size, 3), 255.), np.full(size, np.inf))


def draw_points(canvas: Canvas, camera: Camera, points: np.ndarray, colours: np.ndarray, radius: float) -> None:
    """Draw points as discs, near ones over far ones.

    Args:
        points: (N, 3) metres.
        colours: (N, 3) in 0..255.
        radius: Of the discs in pixels.
    """
    height, width = camera.size
    pixels, depth = camera.project(points)
    span = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    offsets = np.stack(np.meshgrid(span, span), axis=-1).reshape(-1, 2)
    offsets = offsets[(offsets**2).sum(axis=1) <= radius**2 + 1e-9]
    order = np.argsort(-depth, kind='stable')
    # A margin of one disc takes what hangs over the picture's border.
    margin = int(span[-1])
    column, row = np.floor(pixels[order]).T
    inside = (column >= -margin) & (column < width + margin) & (row >= -margin) & (row < height + margin)
    pitch = width + 4 * margin
    start = (row[inside] + 2 * margin) * pitch + column[inside] + 2 * margin
    where = start.astype(np.int32)[:, None] + (offsets[:, 1] * pitch + offsets[:, 0]).astype(np.int32)
    # Ordered from far to near: of several writes to a pixel NumPy keeps the last.
    number = np.full((height + 4 * margin) * pitch, -1, dtype=np.int32)
    number[where] = order[inside].astype(np.int32)[:, None]
    number = number.reshape(-1, pitch)[2 * margin:2 * margin + height, 2 * margin:2 * margin + width]
    shown = number >= 0
    nearer = np.zeros_like(shown)
    nearer[shown] = depth[number[shown]] < canvas.depth[shown]
    canvas.image[nearer] = np.asarray(colours, dtype=np.float64)[number[nearer]]
    canvas.depth[nearer] = depth[number[nearer]]


def light(points: np.ndarray, colours: np.ndarray, camera: Camera, ambient: float = 0.7) -> np.ndarray:
    """Colours (N, 3) as if lit from the upper left of the picture.

    Args:
        points: (N, 3) metres; normals are estimated from their neighbours.
        colours: (N, 3) in 0..255.
        ambient: Share of its colour that a point in the shadow has.
    """
    if len(points) <= _NEIGHBOURS:
        return np.asarray(colours, dtype=np.float64)
    _, nearest = cKDTree(points).query(points, k=_NEIGHBOURS)
    near = points[nearest] - points[nearest].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(np.einsum('nki,nkj->nij', near, near))[1][:, :, 0]
    # The sign of an estimated normal is arbitrary; what is seen faces the camera.
    normals *= -np.where(normals @ camera.axes[2] > 0, 1, -1)[:, None]
    towards = -0.5 * camera.axes[0] - 0.5 * camera.axes[2] + np.array([0, 0, 0.8])
    lambert = np.clip(normals @ (towards / np.linalg.norm(towards)), 0, 1)
    return np.asarray(colours) * (ambient + (1.03 - ambient) * lambert)[:, None]


def shade(canvas: Canvas, strength: float = 1.0, reach: int = 2) -> None:
    """Darken pixels that lie behind their neighbours, so that shapes stand out without normals.

    Args:
        strength: Darkening per metre of depth difference, which counts up to 1 / strength.
        reach: How far away neighbours are, in pixels.
    """
    shown = np.isfinite(canvas.depth)
    # Far away rather than infinite, as infinities have no differences.
    depth = np.where(shown, canvas.depth, 1e6).astype(np.float32)
    darker = np.zeros_like(depth)
    padded = np.pad(depth, reach, mode='edge')
    height, width = depth.shape
    for row, column in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
        neighbour = padded[row * reach:row * reach + height, column * reach:column * reach + width]
        darker += np.minimum(np.maximum(depth - neighbour, 0), np.float32(1 / strength))
    canvas.image[shown] *= np.exp(-strength * darker[shown] / 2)[:, None]


def box_corners(boxes: np.ndarray) -> np.ndarray:
    """Corners of boxes (M, 7): centre, side lengths, yaw counter-clockwise about z.

    Returns:
        (M, 8, 3); bit 2, 1 and 0 of a corner's number say whether it is on
        the high side in x, y and z.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 7)
    signs = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]) - 0.5
    local = signs[None] * boxes[:, None, 3:6]
    cos, sin = np.cos(boxes[:, 6:7]), np.sin(boxes[:, 6:7])
    x, y = local[..., 0], local[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y, local[..., 2]], axis=2) + boxes[:, None, :3]


def draw_boxes(canvas: Canvas, camera: Camera, boxes: np.ndarray, colour: Sequence[int], width: float = 2.0,
               dash: float = 0.0) -> None:
    """Draw the edges of boxes, faintly where points are in front of them.

    Args:
        boxes: (M, 7) centre, side lengths, yaw.
        colour: r, g, b in 0..255.
        width: Of the lines in pixels.
        dash: Length in pixels of dashes and of the gaps between them; 0 draws solid lines.
    """
    reach = int(np.ceil(width / 2))
    span = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(span, span), axis=-1).reshape(-1, 2)
    offsets = offsets[(offsets**2).sum(axis=1) <= (width / 2)**2]
    for corners in box_corners(boxes):
        pixels, depth = camera.project(_along_edges(corners, camera, dash))
        where = (np.floor(pixels).astype(np.int64)[:, None] + offsets).reshape(-1, 2)
        depth = np.repeat(depth, len(offsets))
        inside = ((where >= 0) & (where < (camera.size[1], camera.size[0]))).all(axis=1)
        column, row = where[inside].T
        _draw_pixels(canvas, row * camera.size[1] + column, depth[inside], colour)


def _along_edges(corners: np.ndarray, camera: Camera, dash: float) -> np.ndarray:
    """(P, 3) points on the edges of a box (8, 3), two for each pixel of their length."""
    pixels, _ = camera.project(corners)
    points = []
    for first, second in EDGES:
        # What is longer goes far beyond the picture.
        steps = int(np.clip(2 * np.linalg.norm(pixels[second] - pixels[first]), 2, _MOST_STEPS))
        share = np.linspace(0, 1, steps)
        if dash:
            share = share[np.arange(steps) // (2 * dash) % 2 == 0]
        points.append(corners[first] + (corners[second] - corners[first]) * share[:, None])
    return np.concatenate(points)


def _draw_pixels(canvas: Canvas, pixels: np.ndarray, depth: np.ndarray, colour: Sequence[int]) -> None:
    # 6 cm of slack, as boxes are tight around their points.
    hidden = depth > canvas.depth.reshape(-1)[pixels] + 0.06
    image = canvas.image.reshape(-1, 3)
    for chosen, opacity in ((hidden, 0.3), (~hidden, 1.0)):
        # Each pixel once, or overlapping dots would add up to full opacity.
        flat = np.unique(pixels[chosen])
        image[flat] = (1 - opacity) * image[flat] + opacity * np.asarray(colour, dtype=np.float64)


def open_front(points: np.ndarray, azimuth: float) -> np.ndarray:
    """Which points to show so that one looks into a room from outside.

    Cuts away what is within 25 cm of the outline on the camera's side (the
    walls there), save for the lowest 25 cm, and all that is higher than 2.3 m
    over the floor (the ceiling, if scanned).

    Args:
        points: (N, 3) metres.
        azimuth: Direction of the camera in degrees, as for ``fit_camera``.

    Returns:
        (N,) bool.
    """
    points = np.asarray(points)
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    a = np.deg2rad(azimuth)
    towards = points[:, 0] * np.cos(a) + points[:, 1] * np.sin(a)
    across = -points[:, 0] * np.sin(a) + points[:, 1] * np.cos(a)
    # Narrow, since within a column a slanting wall runs along the view as well.
    column = ((across - across.min()) / 0.06).astype(np.int64)
    outline = np.full(column.max() + 1, -np.inf)
    # A high percentile would be sturdier against stray points, a maximum keeps the walls' corners.
    np.maximum.at(outline, column, towards)
    floor = np.percentile(points[:, 2], 1)
    height = points[:, 2] - floor
    return (height < 2.3) & ((towards < outline[column] - 0.25) | (height < 0.25))
