import warnings

import pytest
import torch

from m2ae_mm.models.layers.scales import build_scales

CLOUD = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('centers, neighbors, message', [
    ((24, 8), (4, 4), 'scale 1 takes 24 centres with 4 neighbours each from clouds of 20 points'),
    ((8, 4), (21, 4), 'scale 1 takes 8 centres with 21 neighbours each from clouds of 20 points'),
    ((8, 4), (4, 9), 'scale 2 takes 4 centres with 9 neighbours each from the 8 centres of the scale below'),
])
def test_more_than_there_is_gives_a_warning(centers, neighbors, message):
    with pytest.warns(UserWarning, match=message):
        scales = build_scales(CLOUD, centers, neighbors)
    assert [tuple(scale.neighbors.shape) for scale in scales] == [(2, *size) for size in zip(centers, neighbors)]


def test_all_there_is_gives_none():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        build_scales(CLOUD, (20, 8), (20, 20))


def test_the_warning_is_shown_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        for _ in range(3):
            build_scales(CLOUD, (24, 8), (4, 4))
    assert len(caught) == 1


def test_traced_without_a_break():
    compiled = torch.compile(lambda cloud: build_scales(cloud, (24, 8), (4, 4))[-1].centers, backend='aot_eager',
                             fullgraph=True)
    with pytest.warns(UserWarning, match='scale 1'):
        expected = build_scales(CLOUD, (24, 8), (4, 4))[-1].centers
    assert torch.equal(compiled(CLOUD), expected)
