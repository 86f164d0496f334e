"""What is visible where: hand-made groups and properties on random clouds."""
import pytest
import torch

from m2ae_mm.models.layers.masking import back_project_mask, independent_masks, random_mask
from m2ae_mm.models.layers.scales import Scale, build_scales


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
