"""Figures of detections and reconstructions as image files."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from . import render, text
from .boxes import Boxes
from .camera import Camera, fit_camera
from .colours import class_colours, distinct_colours

TRUE_COLOUR = (0, 140, 70)
PREDICTED_COLOUR = (215, 85, 20)
VISIBLE_COLOUR = (168, 172, 178)
RECONSTRUCTED_COLOUR = (40, 110, 200)
_HEIGHT_COLOURS = ((105, 135, 180), (150, 190, 175), (240, 215, 165))
_AZIMUTH = 235.0
# Pictures are drawn at twice their size and reduced, which smooths edges.
_OVERSAMPLING = 2
# Pixels of a dash, and of the gap after it.
_DASH = 6
# A shape in the unit sphere is at most this long; what is longer is a room in metres.
_LARGEST_SHAPE = 2.01
_RECONSTRUCTION_TITLES = ['input', 'visible part', 'reconstruction']


def detection_figure(points: np.ndarray, true_boxes: np.ndarray | None, true_labels: np.ndarray | None,
                     pred_boxes: np.ndarray | None, pred_labels: np.ndarray | None, pred_scores: np.ndarray | None,
                     class_names: Sequence[str], path: str | Path, true_title: str = 'ground truth') -> Path:
    """Write the picture of :func:`detection_image`; returns its path."""
    return text.save(detection_image(points, true_boxes, true_labels, pred_boxes, pred_labels, pred_scores, class_names,
                                     true_title=true_title), path)


def detection_image(points: np.ndarray, true_boxes: np.ndarray | None, true_labels: np.ndarray | None,
                    pred_boxes: np.ndarray | None, pred_labels: np.ndarray | None, pred_scores: np.ndarray | None,
                    class_names: Sequence[str], size: tuple[int, int] = (720, 880),
                    true_title: str = 'ground truth') -> np.ndarray:
    """True and predicted boxes side by side.

    Args:
        points: (N, 3) metres, or (N, 6) with r, g, b in 0..255.
        true_boxes, pred_boxes: (M, 7) centre, side lengths, yaw; ``None`` leaves the panel out.
        true_labels, pred_labels: (M,) indices into ``class_names``.
        pred_scores: (M,).
        size: Height and width of each panel.
        true_title: What stands above the true boxes.

    Returns:
        (H, W, 3) uint8.
    """
    points = _checked(points, 'points', (3, 6))
    true_boxes, pred_boxes = (boxes if boxes is None else _checked(boxes, f'{title} boxes', (7,))
                              for title, boxes in ((true_title, true_boxes), ('prediction', pred_boxes)))
    cloud, camera = _scene(points, [boxes for boxes in (true_boxes, pred_boxes) if boxes is not None], size)
    panels, titles = [], []
    for title, boxes, labels, scores, colour in (
            (true_title, true_boxes, true_labels, None, TRUE_COLOUR),
            ('prediction', pred_boxes, pred_labels, pred_scores, PREDICTED_COLOUR)):
        if boxes is None:
            continue
        if not len(boxes) == len(labels) == (len(boxes) if scores is None else len(scores)):
            raise ValueError(f'{title}: boxes, labels and scores must be equally many, got {len(boxes)}, {len(labels)} '
                             f'and {"no" if scores is None else len(scores)}.')
        tags = [class_names[int(label)] for label in labels]
        if scores is not None:
            tags = [f'{tag} {score:.2f}' for tag, score in zip(tags, scores)]
        panels.append(_boxes_over(cloud, camera, boxes, tags, [colour] * len(boxes)))
        titles.append(f'{title} ({len(boxes)})')
    if not panels:
        panels, titles = [_reduced(cloud)], ['points']
    return text.side_by_side(panels, titles)


def judged_image(points: np.ndarray, truth: Boxes, found: Boxes, matches: np.ndarray, class_names: Sequence[str],
                 size: tuple[int, int] = (440, 540)) -> np.ndarray:
    """True and predicted boxes side by side in the colours of their classes, mistakes dashed.

    Args:
        points: (N, 3) metres, or (N, 6) with r, g, b in 0..255.
        truth: True boxes; those that no predicted one matches are dashed.
        found: Predicted boxes; wrong ones are dashed.
        matches: (M,) indices of the true boxes that they match, -1 for none.
        class_names: Of all classes.
        size: Height and width of each half.

    Returns:
        (H, 2 W, 3) uint8.
    """
    cloud, camera = _scene(_checked(points, 'points', (3, 6)), [truth.boxes, found.boxes], size)
    missed, colours = ~np.isin(np.arange(len(truth.boxes)), matches), class_colours(len(class_names))
    halves = [_boxes_over(cloud, camera, each.boxes, [class_names[int(label)] for label in each.labels],
                          colours[each.labels], mistaken)
              for each, mistaken in ((truth, missed), (found, matches < 0))]
    return text.side_by_side(halves, ['what is there (dashed: missed)',
                                      'what the detector finds (dashed: wrong)'], size=15)


def reconstructions_figure(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], path: str | Path,
                           columns: int = 2) -> Path:
    """Write several reconstructions on one sheet, under one line of titles; returns its path.

    Args:
        parts: Of each the cloud, its visible part and the reconstruction, as for :func:`reconstruction_image`.
        path: Of the picture, ending in .png or .jpg.
        columns: Reconstructions in a row.
    """
    panels = [_reconstruction_panels(*each, (300, 300)) for each in parts]
    panels += [[np.full_like(panels[0][0], 255)] * 3] * (-len(panels) % columns)
    rows = [sum(panels[i:i + columns], []) for i in range(0, len(panels), columns)]
    stacked = [np.concatenate(column) for column in zip(*rows)]
    return text.save(text.side_by_side(stacked, _RECONSTRUCTION_TITLES * columns, size=24, group=3), path)


def reconstruction_image(points: np.ndarray, masked_points: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Input, visible part and reconstruction side by side, uint8; rooms are opened in front.

    Args:
        points: (N, 3) the input cloud, a shape in the unit sphere or a room in metres.
        masked_points: (V, 3) the part of it that the model saw.
        reconstruction: (R, 3) what it predicted for the rest.
    """
    panels = _reconstruction_panels(points, masked_points, reconstruction, (560, 560))
    return text.side_by_side(panels, _RECONSTRUCTION_TITLES)


def _reconstruction_panels(points: np.ndarray, masked_points: np.ndarray, reconstruction: np.ndarray,
                           size: tuple[int, int]) -> list[np.ndarray]:
    points = _checked(points, 'points', (3, 6))[:, :3]
    visible = _checked(masked_points, 'masked_points', (3, 6))[:, :3]
    predicted = _checked(reconstruction, 'reconstruction', (3, 6))[:, :3]
    if len(points) == 0:
        raise ValueError('a reconstruction is shown next to its input, but points is empty.')
    is_room = np.ptp(points, axis=0).max() > _LARGEST_SHAPE
    if is_room:
        # What hides the inside of the input is cut away everywhere: each point goes with its nearest input point.
        kept, nearest = render.open_front(points, _AZIMUTH), cKDTree(points)
        visible, predicted = (cloud[kept[nearest.query(cloud)[1]]] for cloud in (visible, predicted))
        points = points[kept]
    # Stray predictions must not shrink the shape: the camera shows the input.
    camera = _camera(points, size, elevation=50.0 if is_room else 30.0)
    radius = _radius(points, camera)
    grey = np.tile(VISIBLE_COLOUR, (len(visible), 1))
    blue = np.tile(RECONSTRUCTED_COLOUR, (len(predicted), 1))
    return [_cloud_panel(points, by_height(points), camera, radius), _cloud_panel(visible, grey, camera, radius),
            _cloud_panel(np.concatenate([visible, predicted]), np.concatenate([grey, blue]), camera, radius)]


def class_figure(points: np.ndarray, title: str, path: str | Path) -> Path:
    """Write the picture of :func:`class_image`; returns its path."""
    return text.save(class_image(points, title), path)


def class_image(points: np.ndarray, title: str) -> np.ndarray:
    """One shape (N, 3) in the unit sphere under a title, uint8."""
    return text.side_by_side([shape_image(points, (560, 560))], [title], size=16)


def shape_image(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One shape (N, 3) in the unit sphere; (H, W, 3) uint8 of the given height and width."""
    points = _shape(points)
    camera = _camera(points, size, elevation=30.0)
    return _cloud_panel(points, by_height(points), camera, _radius(points, camera))


def parts_image(points: np.ndarray, true_parts: np.ndarray | None, parts: np.ndarray) -> np.ndarray:
    """True and predicted parts of one shape side by side, one colour a part, uint8.

    Args:
        points: (N, 3) in the unit sphere.
        true_parts, parts: (N,) part labels; ``None`` leaves the panel out.
    """
    points = _shape(points)
    camera = _camera(points, (560, 560), elevation=30.0)
    shown = {title: labels for title, labels in (('ground truth', true_parts), ('prediction', parts))
             if labels is not None}
    numbers = np.unique(np.concatenate(list(shown.values())))
    colours = 255 * distinct_colours(len(numbers), soft=True)
    panels = [_cloud_panel(points, colours[np.searchsorted(numbers, labels)], camera, _radius(points, camera))
              for labels in shown.values()]
    return text.side_by_side(panels, list(shown))


def opened(xyz: np.ndarray) -> np.ndarray:
    """(N,) bool: points of a room (N, 3) to show so that one looks into it; all if nothing would be left."""
    kept = render.open_front(_shape(xyz), _AZIMUTH)
    return kept if kept.any() else np.ones(len(xyz), bool)


def room_panels(xyz: np.ndarray, colours: Sequence[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
    """Panels of one room (N, 3), once in each of the colours (N, 3), which mean something: seen from higher above, in
    large points and little shadow; height and width of a panel."""
    camera = _camera(xyz, size, elevation=62.0)
    radius = 1.4 * _radius(xyz, camera)
    return [_cloud_panel(xyz, each, camera, radius, ambient=0.88) for each in colours]


def _shape(points: np.ndarray) -> np.ndarray:
    points = _checked(points, 'points', (3, 6))[:, :3]
    if len(points) == 0:
        raise ValueError('there is no point to draw.')
    return points


def _scene(points: np.ndarray, boxes: Sequence[np.ndarray], size: tuple[int, int]) -> tuple[render.Canvas, Camera]:
    """The opened room and the camera that shows it and what of the boxes is within the room."""
    xyz, rgb = points[:, :3], points[:, 3:] if points.shape[1] == 6 else by_height(points)
    corners = [render.box_corners(each).reshape(-1, 3) for each in boxes]
    if len(xyz):  # wild boxes of an untrained detector must not shrink the room to a dot
        corners = [each.clip(xyz.min(axis=0), xyz.max(axis=0)) for each in corners]
    kept = render.open_front(xyz, _AZIMUTH)
    xyz, rgb = xyz[kept], rgb[kept]
    if len(xyz) == 0:
        return render.blank(_large(size)), _camera(np.concatenate([np.zeros((1, 3)), *corners]), size)
    camera = _camera(np.concatenate([xyz, *corners]), size)
    return _draw_cloud(xyz, rgb, camera, _radius(xyz, camera)), camera


def _boxes_over(cloud: render.Canvas, camera: Camera, boxes: np.ndarray, tags: Sequence[str],
                colours: Sequence[Sequence[int]], dashed: np.ndarray | None = None) -> np.ndarray:
    canvas = render.Canvas(cloud.image.copy(), cloud.depth)
    for i, (box, colour) in enumerate(zip(boxes, colours)):
        dash = _DASH * _OVERSAMPLING if dashed is not None and dashed[i] else 0
        render.draw_boxes(canvas, camera, box[None], colour, width=1.6 * _OVERSAMPLING, dash=dash)
    anchors = camera.project(boxes[:, :3] + boxes[:, 3:6] * (0, 0, 0.5))[0] / _OVERSAMPLING
    return text.draw_tags(_reduced(canvas), tags, anchors, colours, pale=dashed)


def _cloud_panel(points: np.ndarray, colours: np.ndarray, camera: Camera, radius: float,
                 ambient: float = 0.7) -> np.ndarray:
    return _reduced(_draw_cloud(points, colours, camera, radius, ambient))


def _draw_cloud(points: np.ndarray, colours: np.ndarray, camera: Camera, radius: float,
                ambient: float = 0.7) -> render.Canvas:
    canvas = render.blank(camera.size)
    if len(points):
        render.draw_points(canvas, camera, points, render.light(points, colours, camera, ambient=ambient), radius)
        extent = float(np.ptp(points, axis=0).max())
        render.shade(canvas, strength=10 / max(extent, 1e-6), reach=_OVERSAMPLING)
    return canvas


def _camera(points: np.ndarray, size: tuple[int, int], elevation: float = 50.0) -> Camera:
    return fit_camera(points, _large(size), _AZIMUTH, elevation)


def _large(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING


def _radius(points: np.ndarray, camera: Camera) -> float:
    """Pixels by which discs of neighbouring points just close the gaps between them."""
    if len(points) < 2:
        return 2.0 * _OVERSAMPLING
    few = points[np.linspace(0, len(points) - 1, min(len(points), 2000)).astype(int)]
    distance = np.median(cKDTree(points).query(few, k=2)[0][:, 1])
    return float(np.clip(1.5 * distance * camera.scale, 1.5, 6.0 * _OVERSAMPLING))


def by_height(points: np.ndarray) -> np.ndarray:
    """Colours (N, 3) for points without any: from blue at the bottom over green to sand at the top."""
    z = points[:, 2]
    low, high = (z.min(), z.max()) if len(z) else (0.0, 1.0)
    share = (z - low) / max(high - low, 1e-6)
    return np.stack([np.interp(share, (0, 0.45, 1), stops) for stops in zip(*_HEIGHT_COLOURS)], axis=1)


def _reduced(canvas: render.Canvas) -> np.ndarray:
    height, width = canvas.depth.shape
    reduced = Image.fromarray(canvas.pixels()).resize((width // _OVERSAMPLING, height // _OVERSAMPLING), Image.BOX)
    return np.asarray(reduced)


def _checked(array: np.ndarray, name: str, columns: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim != 2 or array.shape[1] not in columns:
        raise ValueError(f'{name} must have shape (N, {" or ".join(map(str, columns))}), got {array.shape}.')
    return array
