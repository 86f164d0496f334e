import re

import numpy as np
import pytest
from PIL import Image

from m2ae_mm.visualization import feature_map, learning_curves
from m2ae_mm.visualization.colours import _lab, distinct_colours


def coloured(path):
    """Share of pixels that are neither grey nor white."""
    pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
    return (np.ptp(pixels, axis=2) > 40).mean()


def test_curves_are_drawn_in_the_order_of_epochs(tmp_path):
    forward = learning_curves({'a': [(1, 0.), (2, 1.), (3, 4.)]}, 'loss', tmp_path / 'a.png')
    shuffled = learning_curves({'a': [(3, 4.), (1, 0.), (2, 1.)]}, 'loss', tmp_path / 'new' / 'b.png')
    assert forward.read_bytes() == shuffled.read_bytes()
    assert coloured(forward) > 0.001


def test_a_curve_without_points_is_named(tmp_path):
    with pytest.raises(ValueError, match="the curve 'empty' has no point"):
        learning_curves({'empty': []}, 'loss', tmp_path / 'a.png')


@pytest.mark.parametrize('count', [3, 15])
def test_the_legend_of_a_map_names_the_classes_in_their_colours(count, tmp_path):
    labels, names = np.repeat(np.arange(count), 2), [f'class {i}' for i in range(count)]
    features = np.random.default_rng(0).normal(size=(2 * count, 4))
    legend = feature_map({'all': features}, labels, names, tmp_path / 'map.svg').read_text().split('id="legend_1"')[1]
    assert re.findall('<!-- (.*) -->', legend) == names
    markers = re.findall('<use [^>]*style="([^"]*)"', legend)
    assert len(markers) == len(set(markers)) == count


def test_of_many_classes_the_largest_are_shown(tmp_path):
    sizes = np.r_[np.full(8, 2), 1, np.full(7, 3)]  # the ninth is the smallest
    labels, names = np.repeat(np.arange(16), sizes), [f'class {i}' for i in range(16)]
    features = np.random.default_rng(0).normal(size=(len(labels), 4))
    legend = feature_map({'all': features}, labels, names, tmp_path / 'map.svg').read_text().split('id="legend_1"')[1]
    told = re.findall('<!-- (.*) -->', legend)
    assert [name for name in names if name not in told] == ['class 8']
    assert 'the 15 largest of 16 classes' in told


def test_features_and_labels_must_agree(tmp_path):
    with pytest.raises(ValueError, match='all: 4 features for 5 labels'):
        feature_map({'all': np.zeros((4, 2))}, np.zeros(5, int), ['a'], tmp_path / 'map.png')
    with pytest.raises(ValueError, match='at least three shapes, got 2'):
        feature_map({'all': np.zeros((2, 2))}, np.zeros(2, int), ['a'], tmp_path / 'map.png')


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize('count', [2, 10, 28, 56])
def test_no_two_classes_have_one_colour(count, soft):
    colours = distinct_colours(count, soft)
    assert not soft or np.ptp(colours, axis=1).max() < 0.7
    looks = _lab(colours)
    apart = np.linalg.norm(looks[:, None] - looks, axis=-1) + 1000 * np.eye(count)
    assert colours.shape == (count, 3) and colours.min() >= 0 and colours.max() <= 1
    assert apart.min() > 20  # 2.3 can just be told apart
