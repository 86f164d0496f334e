"""Words in pictures, and pictures as files."""
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .colours import wants_dark_ink

_TAG_SIZE = 13  # pixels


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Letters of a height in pixels."""
    # The one font that is certain to be there: it comes with matplotlib.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')), size)


def draw_tags(image: np.ndarray, tags: Sequence[str], anchors: np.ndarray, colours: Sequence[Sequence[int]],
              pale: Sequence[bool] | None = None) -> np.ndarray:
    """Write short texts on coloured ground, moved up where they would cover each other.

    Args:
        image: (H, W, 3) uint8.
        tags: M texts.
        anchors: (M, 2) column and row of the middle of each text's lower edge.
        colours: M times r, g, b of the ground.
        pale: M, which of them are written on white ground with a coloured border.

    Returns:
        A new (H, W, 3) uint8 image.
    """
    picture = Image.fromarray(image).convert('RGBA')
    layer = Image.new('RGBA', picture.size)
    draw = ImageDraw.Draw(layer)
    letters, taken = font(_TAG_SIZE), []
    rows = zip(tags, anchors.tolist(), colours, pale if pale is not None else [False] * len(tags))
    for tag, (column, row), colour, on_white in sorted(rows, key=lambda item: -item[1][1]):
        width, height = letters.getlength(tag) + 6, _TAG_SIZE + 5
        left = float(np.clip(column - width / 2, 0, max(image.shape[1] - width, 0)))
        top = float(np.clip(row - height, 0, image.shape[0] - height))
        while top > 0 and any(left < x1 and x0 < left + width and top < y1 and y0 < top + height
                              for x0, y0, x1, y1 in taken):
            top = max(top - 2, 0)
        taken.append((left, top, left + width, top + height))
        colour = tuple(map(int, colour))
        ground, ink = ((255, 255, 255), (90, 90, 90)) if on_white else (
            colour, (20, 20, 20) if wants_dark_ink(colour) else (255, 255, 255))
        draw.rectangle((left, top, left + width, top + height), fill=(*ground, 205), outline=(*colour, 205))
        draw.text((left + 3, top + 1), tag, font=letters, fill=(*ink, 255))
    return np.asarray(Image.alpha_composite(picture, layer).convert('RGB'))


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str], size: int = 20, group: int = 1) -> np.ndarray:
    """Panels (H, W, 3) of equal size in a row, each under its title, with a line between groups of them."""
    height, width = images[0].shape[:2]
    band = 2 * size
    sheet = Image.new('RGB', (width * len(images), height + band), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for i, (image, title) in enumerate(zip(images, titles)):
        sheet.paste(Image.fromarray(image), (i * width, band))
        letters = font(size)
        left = i * width + (width - letters.getlength(title)) / 2
        draw.text((left, size // 2), title, font=letters, fill=(40, 40, 40))
        if i and i % group == 0:
            draw.line((i * width, band, i * width, height + band), fill=(225, 225, 225), width=2)
    return np.asarray(sheet)


def webp(image: np.ndarray) -> bytes:
    """An (H, W, 3) uint8 image as a WebP file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'WEBP', quality=80, method=2)
    return file.getvalue()


def save(image: np.ndarray, path: str | Path) -> Path:
    """Write an (H, W, 3) uint8 image in the format that the suffix names; returns the path.

    Raises:
        OSError: If the file cannot be written, with what to do about it.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        return path
    except OSError as error:
        raise OSError(f'cannot write the picture {str(path)!r} ({error.strerror or error}). Choose a path in a folder '
                      'you may write to.') from None
    except ValueError:
        raise ValueError(f'cannot tell the format of the picture {str(path)!r} from its name; end it in .png or '
                         '.jpg.') from None
