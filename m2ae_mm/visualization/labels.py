"""Scenes in the colours of the classes of their points."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import text
from .colours import NO_CLASS
from .figures import room_panels

_SIZE = 14


def labels_figure(points: np.ndarray, truth: np.ndarray | None, found: np.ndarray, class_names: Sequence[str],
                  palette: Sequence[Sequence[int]], path: str | Path) -> Path:
    """Write the picture of :func:`labels_image`; returns its path."""
    path = Path(path)
    text.save(labels_image(points, truth, found, class_names, palette), path)
    return path


def labels_image(points: np.ndarray, truth: np.ndarray | None, found: np.ndarray, class_names: Sequence[str],
                 palette: Sequence[Sequence[int]], size: tuple[int, int] = (560, 680)) -> np.ndarray:
    """True and predicted classes of a scene side by side, opened in front, above the names of their colours.

    Args:
        points: ``(N, 3)`` or more columns, metres, z up.
        truth: ``(N,)`` positions in ``class_names``, others for points without a class; None leaves the panel out.
        found: ``(N,)`` as predicted.
        class_names: Of all classes.
        palette: r, g, b in 0..255 of each class.
        size: Height and width of each panel.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    shown = {'what is there': truth, 'prediction': found}
    shown = {title: labels for title, labels in shown.items() if labels is not None}
    panels = room_panels(np.asarray(points)[:, :3], [label_colours(labels, palette) for labels in shown.values()], size)
    used = np.unique(np.concatenate(list(shown.values())))
    used = [int(label) for label in used if 0 <= label < len(class_names)]
    sheet = text.side_by_side(panels, list(shown))
    return np.concatenate([sheet, _legend([class_names[i] for i in used], [palette[i] for i in used],
                                          sheet.shape[1])])


def label_colours(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """``(N, 3)`` r, g, b in 0..255 of labels ``(N,)``; grey for those outside the palette."""
    table = np.array([*palette, NO_CLASS], np.float64)
    return table[np.where((labels >= 0) & (labels < len(palette)), labels, len(palette))]


def _legend(names: Sequence[str], colours: Sequence[Sequence[int]], width: int) -> np.ndarray:
    """Squares of the colours with their names, in as many rows as they need."""
    letters, places, left, row = text.font(_SIZE), [], _SIZE, 0
    for name in names:
        needed = letters.getlength(name) + 3 * _SIZE
        if left + needed > width and left > _SIZE:
            left, row = _SIZE, row + 1
        places.append((left, row * 2 * _SIZE + _SIZE // 2))
        left += needed
    sheet = Image.new('RGB', (width, (row + 1) * 2 * _SIZE if names else 0), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for (x, y), name, colour in zip(places, names, colours):
        draw.rectangle((x, y, x + _SIZE, y + _SIZE), fill=tuple(map(int, colour)), outline=(120, 120, 120))
        draw.text((x + 1.4 * _SIZE, y - 1), name, font=letters, fill=(40, 40, 40))
    return np.asarray(sheet)
