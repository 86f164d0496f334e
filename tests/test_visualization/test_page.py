"""Pages that turn in the browser: what they hold, and, where there is a Chromium, what it shows of them."""
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from m2ae_mm.visualization.page import write_cloud_page, write_scene_page

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
BOXES = np.array([[-0.7, 0, 0.4, 1, 1, 0.8, 0], [0.8, 0.5, 0.5, 0.6, 0.8, 1, 0.3]])
RESULT = dict(classes=['table & <b>', 'chair'], scores=[0.9, 0.345], boxes=BOXES)


def room():
    """A grey floor and a wall, 2.5 m high."""
    rng = np.random.default_rng(0)
    floor, wall = rng.uniform(-1.5, 1.5, (2000, 3)) * [1, 1, 0], rng.uniform(-1.5, 1.5, (1000, 3))
    wall[:, 1:] = np.stack([np.full(1000, 1.5), rng.uniform(0, 2.5, 1000)], 1)
    xyz = np.concatenate([floor, wall])
    return xyz, np.full(xyz.shape, 200.)


def traces_of(path):
    text = path.read_text()
    assert not re.search(r'<script[^>]+src=|<link|<img|<iframe', text)  # nothing is fetched
    return json.loads(re.search(r'Plotly.newPlot\("scene", (\[.*?\]), \{"margin"', text, re.S).group(1))


def test_boxes_have_labels_and_what_is_near_the_ceiling_is_apart(tmp_path):
    xyz, rgb = room()
    write_scene_page(tmp_path / 'a.html', xyz, rgb, BOXES, RESULT, 'a <room>')
    points, top, *rest = traces_of(tmp_path / 'a.html')
    level = float(re.fullmatch(r'points above (\S+) m', top['name']).group(1))
    assert level == pytest.approx(0.88 * np.percentile(xyz[:, 2], 99), abs=0.06) and top['visible'] == 'legendonly'
    assert max(points['z']) <= level + 0.05 <= min(top['z']) + 0.1 and len(points['z']) + len(top['z']) == len(xyz)
    labels = {trace['text'][0]: [trace[axis][0] for axis in 'xyz'] for trace in rest if trace['mode'] == 'text'}
    assert labels == {'chair 0.34': [0.8, 0.5, 1.12], 'table &amp; &lt;b&gt; 0.90': [-0.7, 0, 0.92]}
    groups = [trace['legendgroup'] for trace in rest]
    assert groups == ['chair', 'chair', 'table &amp; &lt;b&gt;', 'table &amp; &lt;b&gt;']
    assert '<title>a &lt;room&gt;</title>' in (tmp_path / 'a.html').read_text()


@pytest.mark.skipif(CHROMIUM is None, reason='needs chromium')
@pytest.mark.parametrize('kind', ['scene', 'cloud'])
def test_a_browser_without_a_network_shows_it(tmp_path, kind):
    xyz, rgb = room()
    page, picture = tmp_path / 'a.html', tmp_path / 'a.png'
    if kind == 'scene':
        write_scene_page(page, xyz, rgb, BOXES, RESULT, 'a room')
        shown = [trace['line']['color'] for trace in traces_of(page) if trace['mode'] == 'lines']
    else:
        write_cloud_page(page, dict(seen=xyz[:500], filled=xyz[2000:]), [(40, 80, 200), (220, 120, 40)], 'a shape')
        shown = ['#2850c8', '#dc7828']
    subprocess.run([CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--use-angle=swiftshader',
                    '--enable-unsafe-swiftshader', f'--user-data-dir={tmp_path / "profile"}', '--window-size=700,600',
                    '--host-resolver-rules=MAP * ~NOTFOUND', '--virtual-time-budget=3000', f'--screenshot={picture}',
                    page.as_uri()], check=True, capture_output=True, timeout=300)
    image = np.asarray(Image.open(picture).convert('RGB')).astype(int)
    for colour in shown:
        wanted = [int(colour[i:i + 2], 16) for i in (1, 3, 5)]
        found = (np.abs(image[60:, 200:] - wanted).max(2) < 40).sum()  # right of the legend
        assert found > 50, f'{colour}: {found} pixels'
