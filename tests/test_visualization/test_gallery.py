import io
import re

import numpy as np
from PIL import Image

from m2ae_mm.visualization.boxes import Boxes
from m2ae_mm.visualization.colours import class_colours
from m2ae_mm.visualization.gallery import judge_scene, write_gallery

CLASSES = ('chair', 'table & "desk"', 'lamp')
ROOM = np.random.default_rng(0).uniform((0, 0, 0, 200, 200, 200), (5, 4, 0.02, 200, 200, 200), (3000, 6))


def boxes(*rows):
    places = np.array([[x, y, 0.5, 1, 1, 1, 0] for x, y, _ in rows], dtype=float).reshape(-1, 7)
    return Boxes(places, np.array([label for *_, label in rows], dtype=int), np.full(len(rows), 0.5))


def scene(name, found, matches):
    truth = boxes((1, 1, 0), (3, 1, 1))
    return judge_scene(name, ROOM, truth, found, np.array(matches, dtype=int), CLASSES)


def coloured(picture, colour):
    """Pixels of a colour in the two halves of a picture."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert('RGB')).astype(int)
    return [int((np.abs(half - colour).max(axis=2) < 60).sum()) for half in np.split(pixels, 2, axis=1)]


def test_a_scene_is_judged_and_mistakes_are_dashed():
    found = boxes((1, 1, 0), (4, 3, 0))
    judged = scene('room', found, [0, -1])
    assert (judged.right, judged.missed, judged.wrong) == (['chair'], [CLASSES[1]], ['chair'])
    missed = scene('room', boxes(), [])
    assert missed.counts() == dict(right=0, missed=2, wrong=0)
    solid, dashed = (coloured(each.picture, class_colours(3)[0])[0] for each in (judged, missed))
    assert 0.1 * solid < dashed < 0.75 * solid


def test_the_page_counts_and_needs_nothing_from_outside(tmp_path):
    scenes = [scene('first <room>', boxes((1, 1, 0)), [0]), scene('second', boxes((4, 3, 2), (3, 1, 1)), [-1, 1])]
    page = write_gallery(tmp_path / 'new' / 'index.html', scenes, CLASSES, 'A & B', ['Scores above 0.5.'],
                         dict(AP25=31.24)).read_text()
    assert '2 rooms with 4 things to find: <b>2 found</b>, 2 missed, 1 wrong boxes' in page
    assert 'Of the 3 boxes shown 67 % are right; 50 % of the things are found' in page
    assert '<b>31.2</b>AP25' in page and 'A &amp; B' in page and 'first &lt;room&gt;' in page
    chips = re.findall(r'data-name="([^"]*)".*\n.*>[^<]* (\d/\d)<', page)
    assert chips == [('chair', '1/2'), ('table &amp; &quot;desk&quot;', '1/2'), ('lamp', '0/0')]
    assert not re.search(r'(src|href)="(?!data:)', page) and 'http' not in page.replace('http-equiv', '')
    assert '$' not in re.sub(r'base64,[^"]*', '', page)


def test_a_page_without_scenes_is_a_page(tmp_path):
    assert '0 rooms with 0 things' in write_gallery(tmp_path / 'index.html', [], CLASSES, 'none').read_text()
