"""Scales, and what is visible where: hand-made groups and properties on random clouds."""
import warnings

import pytest
import torch

from m2ae_mm.models.layers.scales_and_masks import (
    Scale,
    back_project_mask,
    build_scales,
    independent_masks,
    random_mask,
)

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


def scale(neighbors, num_centers):
    indices = torch.zeros(1, num_centers, dtype=torch.long)
    return Scale(torch.zeros(1, num_centers, 3), indices, torch.tensor([neighbors]))


def test_back_projection_by_hand():
    # Four fine centres; coarse centre 0 groups fine 2 and 3, coarse centre 1 groups fine 0 and 3.
    scales = [scale([[0]] * 4, 4), scale([[2, 3], [0, 3]], 2)]
    fine, coarse = back_project_mask(torch.tensor([[False, True]]), scales)
    assert coarse.tolist() == [[False, True]]
    # Fine 0 belongs to a masked group only and stays masked, also though it has index 0.
    assert fine.tolist() == [[True, True, False, False]]


def test_visible_fine_centers_are_members_of_visible_groups():
    points = torch.rand(3, 300, 3, generator=torch.Generator().manual_seed(0))
    scales = build_scales(points, (96, 40, 12), (8, 6, 4))
    masked = back_project_mask(random_mask(scales[-1].centers, 0.5), scales)
    for i in (0, 1):
        for b in range(3):
            expected = set(scales[i + 1].neighbors[b][~masked[i + 1][b]].flatten().tolist())
            assert set((~masked[i][b]).nonzero().flatten().tolist()) == expected


@pytest.mark.parametrize('ratio, expected', [(0.8, 51), (0.5, 32), (0., 0)])
def test_random_mask_masks_the_published_count(ratio, expected):
    mask = random_mask(torch.zeros(5, 64, 3), ratio)
    assert mask.sum(1).tolist() == [expected] * 5
    if expected:
        assert len({tuple(row.tolist()) for row in mask}) == 5  # a mask of its own for each cloud


def test_the_count_is_rounded_down():
    assert random_mask(torch.zeros(1, 12, 3), 0.8).sum() == 9  # of 9.6


def test_random_mask_repeats_with_a_generator():
    draw = [random_mask(torch.zeros(2, 20, 3), 0.6, torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draw)


def test_independent_masks_have_their_own_count_per_scale():
    scales = [scale([[0]] * 10, 10), scale([[0]] * 5, 5)]
    assert [mask.sum().item() for mask in independent_masks(scales, 0.8)] == [8, 4]


def test_default_sizes_keep_the_published_shares_visible():
    # About 20, 37 and 67 % of scales 3, 2 and 1 stay visible on CAD shapes; on a sphere groups overlap a bit more.
    generator = torch.Generator().manual_seed(1)
    sphere = torch.nn.functional.normalize(torch.randn(4, 2048, 3, generator=generator), dim=-1)
    scales = build_scales(sphere, (512, 256, 64), (16, 8, 8))
    masked = back_project_mask(random_mask(scales[-1].centers, 0.8, generator), scales)
    visible = [1 - mask.float().mean().item() for mask in masked]
    assert visible[2] == pytest.approx(13 / 64)
    assert visible[1] == pytest.approx(0.37, abs=0.04)
    assert 0.5 < visible[0] < 0.75
