import json
import re

import numpy as np
import pytest

from m2ae_mm.visualization.labels import label_colours, labels_image
from m2ae_mm.visualization.page import write_labels_page

PALETTE = [(255, 0, 0), (0, 0, 255)]


def room():
    """A floor whose halves are of two classes."""
    xyz = np.random.default_rng(0).uniform(0, 3, (4000, 3)) * [1, 1, 0]
    return xyz, (xyz[:, 0] > 1.5).astype(int)


def test_labels_outside_the_palette_are_grey():
    assert label_colours(np.array([1, 0, 2, -1, 255]), PALETTE).tolist() == [
        [0, 0, 255], [255, 0, 0], [205] * 3, [205] * 3, [205] * 3]


def test_truth_and_prediction_have_their_colours_and_a_legend():
    xyz, truth = room()
    image = labels_image(xyz, truth, np.ones(len(xyz), int), ['one', 'two', 'three'], [*PALETTE, (0, 255, 0)],
                         (200, 240)).astype(int)
    alone = labels_image(xyz, None, truth, ['one', 'two', 'three'], [*PALETTE, (0, 255, 0)], (200, 240))
    assert image.shape[1] == 480 and alone.shape[1] == 240
    red, blue = ((image[..., a] - image[..., b] > 80) for a, b in ((0, 2), (2, 0)))
    left, right = slice(0, 238), slice(242, 480)
    rows = slice(40, 240)
    assert red[rows, left].sum() > 500 and blue[rows, left].sum() > 500
    assert not red[rows, right].any() and blue[rows, right].sum() > 1000
    legend = image[240:]
    assert (legend == PALETTE[0]).all(-1).any() and (legend == PALETTE[1]).all(-1).any()
    assert not (legend == (0, 255, 0)).all(-1).any()  # a class that neither has


def traces_of(path):
    return json.loads(re.search(r'Plotly.newPlot\("scene", (\[.*?\]), \{"margin"', path.read_text(), re.S).group(1))


def test_a_page_shows_truth_beside_prediction(tmp_path):
    xyz, truth = room()
    truth[:5] = 2
    write_labels_page(tmp_path / 'a.html', xyz, truth, np.ones(len(xyz), int), ['one', '<two>'], PALETTE, 'a')
    traces = traces_of(tmp_path / 'a.html')
    assert [(trace['name'], trace['showlegend']) for trace in traces] == [
        ('one', True), ('&lt;two&gt;', True), ('no class', True), ('&lt;two&gt;', False)]
    assert {trace['marker']['color'] for trace in traces[1::2]} == {'#0000ff'}
    assert max(traces[0]['x'] + traces[1]['x']) < min(traces[3]['x']) - 0.9
    assert sum(len(trace['x']) for trace in traces) == 2 * len(xyz)
    write_labels_page(tmp_path / 'b.html', xyz, None, truth, ['one', '<two>'], PALETTE, 'b')
    assert max(traces_of(tmp_path / 'b.html')[1]['x']) == pytest.approx(xyz[:, 0].max(), abs=1e-3)
