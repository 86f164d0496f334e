"""Scenes in the colours of the classes of their points."""
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from . import text
from .colours import NO_CLASS, NO_CLASS_NAME, WRONG
from .figures import opened, room_panels

_SIZE = 16
# Points whose class is right, in the panel of mistakes.
_RIGHT = (222, 222, 222)
# The legend names classes with at least this share of the points drawn: of fewer nothing is to be seen.
_LEAST_SHARE = 1e-3
# Names of ScanNet's classes as mmdet3d spells them.
_WORDS = {'showercurtrain': 'shower curtain', 'otherfurniture': 'other furniture'}


def labels_image(points: np.ndarray, truth: np.ndarray | None, found: np.ndarray, class_names: Sequence[str],
                 palette: Sequence[Sequence[int]], size: tuple[int, int] = (560, 640)) -> np.ndarray:
    """True and predicted classes of a scene and where they differ, side by side, above the names of the colours
    that are to be seen.

    The scene is opened in front, and what is high above the floor is cut away. Points without a class are grey, and
    neither right nor wrong.

    Args:
        points: ``(N, 3)`` or more columns, metres, z up.
        truth: ``(N,)`` positions in ``class_names``, others for points without a class; None leaves two panels out.
        found: ``(N,)`` as predicted.
        class_names: Of all classes.
        palette: r, g, b in 0..255 of each class.
        size: Height and width of each panel.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    xyz = np.asarray(points)[:, :3]
    kept, count = opened(xyz), len(class_names)
    shown = {'what is there': truth, 'prediction': found}
    shown = {title: np.asarray(labels)[kept] for title, labels in shown.items() if labels is not None}
    panels = {title: label_colours(labels, palette) for title, labels in shown.items()}
    if truth is not None:
        wrong, scored = mistakes(truth, found, count), has_class(truth, count).sum()
        panels[f'wrong: {wrong.sum() / max(scored, 1):.0%} of the points'] = np.where(wrong[kept, None], WRONG, _RIGHT)
    used, counts = np.unique(np.concatenate(list(shown.values())), return_counts=True)
    used = used[counts >= _LEAST_SHARE * counts.sum()]
    legend = [(_WORDS.get(class_names[label], class_names[label]), palette[label])
              for label in used[has_class(used, count)]]
    if len(legend) < len(used):
        legend.append((NO_CLASS_NAME, NO_CLASS))
    sheet = text.side_by_side(room_panels(xyz[kept], list(panels.values()), size), list(panels))
    return np.concatenate([sheet, _legend(legend, sheet.shape[1])])


def has_class(labels: np.ndarray, count: int) -> np.ndarray:
    """``(N,)`` bool: which labels ``(N,)`` are one of ``count`` classes."""
    return (labels >= 0) & (labels < count)


def mistakes(truth: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """``(N,)`` bool: points of one of ``count`` classes that are taken for another."""
    return has_class(truth, count) & (truth != found)


def label_colours(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """``(N, 3)`` r, g, b in 0..255 of labels ``(N,)``; grey for those outside the palette."""
    table = np.array([*palette, NO_CLASS], np.float64)
    return table[np.where(has_class(labels, len(palette)), labels, len(palette))]


def _legend(entries: Sequence[tuple[str, Sequence[int]]], width: int) -> np.ndarray:
    """Squares of the colours with their names, in as many rows as they need."""
    letters, places, left, row = text.font(_SIZE), [], _SIZE, 0
    for name, _ in entries:
        needed = letters.getlength(name) + 3 * _SIZE
        if left + needed > width and left > _SIZE:
            left, row = _SIZE, row + 1
        places.append((left, row * 2 * _SIZE + _SIZE // 2))
        left += needed
    sheet = Image.new('RGB', (width, (row + 1) * 2 * _SIZE if entries else 0), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for (x, y), (name, colour) in zip(places, entries):
        draw.rectangle((x, y, x + _SIZE, y + _SIZE), fill=tuple(map(int, colour)), outline=(120, 120, 120))
        draw.text((x + 1.4 * _SIZE, y - 1), name, font=letters, fill=(40, 40, 40))
    return np.asarray(sheet)
