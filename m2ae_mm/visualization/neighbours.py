"""Shapes beside those whose features are most like theirs, as a picture and as a page."""
import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from m2ae_mm.files import write_text

from . import text
from .figures import PREDICTED_COLOUR, TRUE_COLOUR, shape_image

_SIDE, _FRAME, _LINE = 150, 4, 22
_PLAIN = (205, 209, 214)
_PAGE = '''<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { margin: 24px auto; max-width: 1240px; padding: 0 16px; color: #1d2329; background: #f4f5f6;
       font: 16px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0; }
.row { display: grid; grid-template-columns: repeat($columns, 1fr); gap: 10px; margin: 14px 0; }
figure { margin: 0; background: #fff; border: 4px solid; border-radius: 8px; overflow: hidden; text-align: center; }
figure:first-child { margin-right: 14px; }
img { display: block; width: 100%; }
figcaption { font-size: 14px; padding: 2px 4px 6px; overflow-wrap: anywhere; }
</style></head>
<body><h1>$title</h1>
<p>$note Left the shape that was looked for, then those most like it.
<b style="color: $right">Green</b> has its class, <b style="color: $wrong">red</b> another one.</p>
$rows
</body></html>
'''
_ROW = '<div class="row">\n$tiles\n</div>'
_TILE = '''<figure style="border-color: $colour"><img alt="$name" src="data:image/webp;base64,$picture">
<figcaption>$name</figcaption></figure>'''


class Found(NamedTuple):
    """A shape and those found for it.

    Attributes:
        clouds: (1 + count, N, 3) the query, then its neighbours, the most alike first.
        names: Their classes.
    """
    clouds: Sequence[np.ndarray]
    names: Sequence[str]

    def colours(self) -> list[tuple[int, int, int]]:
        """Of the frames: plain, then right or wrong."""
        return [_PLAIN, *(TRUE_COLOUR if name == self.names[0] else PREDICTED_COLOUR for name in self.names[1:])]


def neighbours_image(rows: Sequence[Found]) -> np.ndarray:
    """One row for each query, (H, W, 3) uint8; frames say which neighbours have its class.

    Raises:
        ValueError: If there is nothing to show, or rows differ in length.
    """
    if not rows or len({len(row.names) for row in rows}) != 1:
        raise ValueError(f'rows of as many neighbours are needed, got {[len(row.names) - 1 for row in rows]}.')
    return np.concatenate([
        np.concatenate([_tile(*each) for each in zip(row.clouds, row.names, row.colours())], axis=1) for row in rows])


def write_neighbours(path: str | Path, rows: Sequence[Found], title: str, note: str = '') -> tuple[Path, Path]:
    """Write the picture, and beside it a page that opens from disk.

    Args:
        path: Of the picture, ending in .png; the page ends in .html.
        rows: Queries with their neighbours.
        title: Heading of the page.
        note: Sentences below it.

    Returns:
        Paths of picture and page.
    """
    path = text.save(neighbours_image(rows), path)
    tiles = [Template(_ROW).substitute(tiles='\n'.join(map(_figure, row.clouds, row.names, row.colours())))
             for row in rows]
    page = path.with_suffix('.html')
    write_text(page, Template(_PAGE).substitute(
        title=escape(title), note=escape(note), columns=len(rows[0].names), rows='\n'.join(tiles),
        right=_css(TRUE_COLOUR), wrong=_css(PREDICTED_COLOUR)))
    return path, page


def _tile(cloud: np.ndarray, name: str, colour: tuple[int, int, int]) -> np.ndarray:
    """A framed shape above its class."""
    tile = Image.new('RGB', (_SIDE + 4 * _FRAME, _SIDE + _LINE + 4 * _FRAME), (255, 255, 255))
    draw = ImageDraw.Draw(tile)
    draw.rectangle((_FRAME, _FRAME, tile.width - _FRAME, tile.height - _FRAME), outline=colour, width=_FRAME - 1)
    tile.paste(Image.fromarray(shape_image(cloud, (_SIDE, _SIDE))), (2 * _FRAME, 2 * _FRAME))
    ink = (40, 40, 40) if colour == _PLAIN else colour
    draw.text((tile.width / 2, tile.height - 2 * _FRAME - _LINE / 2), name, font=text.font(13), fill=ink, anchor='mm')
    return np.asarray(tile)


def _figure(cloud: np.ndarray, name: str, colour: tuple[int, int, int]) -> str:
    picture = base64.b64encode(text.webp(shape_image(cloud, (240, 240)))).decode()
    return Template(_TILE).substitute(name=escape(name, quote=True), colour=_css(colour), picture=picture)


def _css(colour: tuple[int, int, int]) -> str:
    return 'rgb({},{},{})'.format(*colour)
