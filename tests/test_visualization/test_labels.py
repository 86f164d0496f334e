import json
import re

import numpy as np
import pytest

from m2ae_mm.datasets.scene_segmentation import seg_palette
from m2ae_mm.visualization.colours import NO_CLASS, WRONG, _lab
from m2ae_mm.visualization.labels import label_colours, labels_image, mistakes
from m2ae_mm.visualization.page import write_labels_page
from mmdet3d.datasets import S3DISSegDataset, ScanNetSegDataset

PALETTE = [(255, 0, 0), (0, 0, 255)]


def room():
    """A floor whose halves are of two classes."""
    xyz = np.random.default_rng(0).uniform(0, 3, (4000, 3)) * [1, 1, 0]
    return xyz, (xyz[:, 0] > 1.5).astype(int)


def test_labels_outside_the_palette_are_grey():
    assert label_colours(np.array([1, 0, 2, -1, 255]), PALETTE).tolist() == [
        [0, 0, 255], [255, 0, 0], [205] * 3, [205] * 3, [205] * 3]


def test_truth_and_prediction_have_their_colours_and_a_legend_and_wrong_points_a_colour_of_their_own():
    xyz, truth = room()
    names, palette = ['one', 'two', 'three'], [(30, 160, 60), PALETTE[1], (0, 255, 0)]
    image = labels_image(xyz, truth, np.ones(len(xyz), int), names, palette, (200, 240)).astype(int)
    alone = labels_image(xyz, None, truth, names, palette, (200, 240))
    assert image.shape[1] == 720 and alone.shape[1] == 240
    green, blue, wrong = ((image[..., a] - image[..., b] > 80) for a, b in ((1, 2), (2, 0), (0, 1)))
    rows, (left, middle, right) = slice(40, 240), (slice(240 * i + 2, 240 * i + 238) for i in range(3))
    assert green[rows, left].sum() > 500 and blue[rows, left].sum() > 500
    assert not green[rows, middle].any() and blue[rows, middle].sum() > 1000
    # Where the prediction is wrong, and nowhere else.
    both = green[rows, left] & wrong[rows, right]
    assert both.sum() > 0.8 * green[rows, left].sum() and both.sum() > 0.8 * wrong[rows, right].sum()
    legend = image[240:]
    assert (legend == palette[0]).all(-1).any() and (legend == PALETTE[1]).all(-1).any()
    assert not (legend == (0, 255, 0)).all(-1).any()  # a class that neither has


def test_the_legend_names_what_is_to_be_seen_in_words():
    xyz, truth = room()
    palette = [*PALETTE, (0, 255, 0)]
    for few, named in ((3, False), (40, True)):  # of 8,000 points in both panels
        labels = np.where(np.arange(len(xyz)) < few, 2, truth)
        legend = labels_image(xyz, truth, labels, ['one', 'two', 'three'], palette, (200, 240))[240:]
        assert (legend == (0, 255, 0)).all(-1).any() == named
    as_spelt, in_words = (labels_image(xyz, None, truth, ['wall', name], PALETTE, (200, 240))
                          for name in ('showercurtrain', 'shower curtain'))
    assert (as_spelt == in_words).all()


def test_what_is_cut_away_and_points_without_a_class():
    xyz, truth = room()
    truth[:400] = 255
    ceiling = np.column_stack([xyz[:500, :2], np.full(500, 2.9)])
    both, labels = np.vstack([xyz, ceiling]), np.concatenate([truth, np.full(500, 2)])
    names, palette = ['one', 'two', 'three'], [*PALETTE, (0, 255, 0)]
    legend = labels_image(both, labels, labels, names, palette, (200, 240))[240:]
    assert not (legend == (0, 255, 0)).all(-1).any() and (legend == (205, 205, 205)).all(-1).any()
    assert mistakes(np.array([0, 1, 2, 255, -1]), np.array([0, 0, 1, 0, 0]), 3).tolist() == [
        False, True, True, False, False]


@pytest.mark.parametrize('palette', [
    ScanNetSegDataset.METAINFO['palette'], S3DISSegDataset.METAINFO['palette'],
    *(seg_palette([f'kind {i}' for i in range(count)]) for count in (3, 8, 20, 40))])
def test_no_class_has_the_colour_of_wrong_points(palette):
    """In L*a*b*, where 2 can just be told apart beside each other."""
    apart = np.linalg.norm(_lab(np.array([*palette, NO_CLASS]) / 255) - _lab(np.array(WRONG) / 255), axis=1)
    assert apart.min() > 20


def traces_of(path):
    return json.loads(re.search(r'Plotly.newPlot\("scene", (\[.*?\]), \{"margin"', path.read_text(), re.S).group(1))


def test_a_page_shows_truth_beside_prediction(tmp_path):
    xyz, truth = room()
    truth[:5] = 2
    write_labels_page(tmp_path / 'a.html', xyz, truth, np.ones(len(xyz), int), ['one', '<two>'], PALETTE, 'a')
    traces = traces_of(tmp_path / 'a.html')
    wrong = traces.pop()
    assert [(trace['name'], trace['showlegend']) for trace in traces] == [
        ('one', True), ('&lt;two&gt;', True), ('no class', True), ('&lt;two&gt;', False)]
    assert {trace['marker']['color'] for trace in traces[1::2]} == {'#0000ff'}
    assert max(traces[0]['x'] + traces[1]['x']) < min(traces[3]['x']) - 0.9
    assert sum(len(trace['x']) for trace in traces) == 2 * len(xyz)
    assert wrong['visible'] == 'legendonly' and wrong['name'] == f'wrong ({(truth == 0).sum() / (truth < 2).sum():.0%})'
    assert sorted(wrong['x']) == sorted(np.round(xyz[truth == 0, 0], 4))
    write_labels_page(tmp_path / 'c.html', xyz, truth, truth, ['ceiling', 'floor'], PALETTE, 'c')
    assert [trace['visible'] for trace in traces_of(tmp_path / 'c.html')][:2] == ['legendonly', True]
    write_labels_page(tmp_path / 'b.html', xyz, None, truth, ['one', '<two>'], PALETTE, 'b')
    assert max(traces_of(tmp_path / 'b.html')[1]['x']) == pytest.approx(xyz[:, 0].max(), abs=1e-3)
