import re

import numpy as np
import pytest
from PIL import Image

from m2ae_mm.visualization.figures import PREDICTED_COLOUR, TRUE_COLOUR
from m2ae_mm.visualization.neighbours import Found, neighbours_image, write_neighbours


def shape(seed):
    points = np.random.default_rng(seed).normal(size=(300, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * (1, 1, 0.2 + 0.1 * seed)


ROWS = [Found([shape(0), shape(1), shape(2)], ['car', 'car', 'boat & <b>']),
        Found([shape(3), shape(4), shape(5)], ['boat & <b>', 'car', 'car'])]


def framed(image, colour):
    """Columns and rows of the tiles that have a frame of this colour."""
    height, width = image.shape[0] // 2, image.shape[1] // 3
    tiles = image.reshape(2, height, 3, width, 3).swapaxes(1, 2)
    return np.argwhere((np.abs(tiles.astype(int) - colour).max(-1) < 2).sum((2, 3)) > 500).tolist()


def test_frames_tell_right_from_wrong():
    image = neighbours_image(ROWS)
    assert framed(image, TRUE_COLOUR) == [[0, 1]]
    assert framed(image, PREDICTED_COLOUR) == [[0, 2], [1, 1], [1, 2]]


def test_picture_and_page(tmp_path):
    picture, page = write_neighbours(tmp_path / 'new' / 'near.png', ROWS, 'A & B', 'Of 2 shapes < 3.')
    assert np.array_equal(np.asarray(Image.open(picture)), neighbours_image(ROWS))
    text = page.read_text()
    assert page.name == 'near.html' and 'A &amp; B' in text and 'Of 2 shapes &lt; 3.' in text and '<b>"' not in text
    colours = re.findall(r'<figure style="border-color: rgb\((\d+),(\d+),(\d+)\)"', text)
    found = [tuple(map(int, colour)) for colour in colours]
    assert found[1:3] == [TRUE_COLOUR, PREDICTED_COLOUR] and found[4:] == [PREDICTED_COLOUR] * 2
    assert len(re.findall('src="data:image/webp;base64,[A-Za-z0-9+/=]{200,}"', text)) == 6
    assert not re.search('(src|href)="(?!data:)', text)


def test_rows_must_be_alike(tmp_path):
    with pytest.raises(ValueError, match=r'rows of as many neighbours are needed, got \[\]'):
        write_neighbours(tmp_path / 'a.png', [], 'a')
    with pytest.raises(ValueError, match=r'got \[2, 1\]'):
        neighbours_image([ROWS[0], Found(ROWS[1].clouds[:2], ROWS[1].names[:2])])
