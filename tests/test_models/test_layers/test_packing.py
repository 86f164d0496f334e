import pytest
import torch

from m2ae_mm.models.layers.packing import Rows, fixed_rows

MASKED = torch.tensor([[True, False, True, False, False], [False, True, True, True, True]])


def rows_of(size):
    """Rows of :data:`MASKED`, exactly or so many."""
    with fixed_rows([MASKED], [size]) if size else fixed_rows([], []):
        return Rows.of(MASKED)


@pytest.mark.parametrize('size', [None, 6])
def test_rows_as_clouds_and_back(size):
    rows = rows_of(size)
    tokens = torch.arange(1., len(rows.cloud) + 1).view(-1, 1).requires_grad_()
    clouds = rows.to_clouds(tokens)
    assert clouds[:, :3, 0].tolist() == [[1, 2, 3], [4, 0, 0]] and (clouds[:, 3:] == 0).all()
    assert rows.padded[:, :3].tolist() == [[False] * 3, [False, True, True]]
    back = rows.of_clouds(clouds)
    assert back[:4].tolist() == tokens[:4].tolist() and (back[4:] == 0).all()
    (clouds.square().sum() + 7 * back.sum()).backward()
    assert tokens.grad[:, 0].tolist() == [9, 11, 13, 15] + [0] * (len(tokens) - 4)


@pytest.mark.parametrize('size', [None, 6])
def test_members_that_are_masked_are_zeros(size):
    rows = rows_of(size)
    tokens = torch.arange(1., len(rows.cloud) + 1).view(-1, 1)
    assert rows.members(tokens, torch.tensor([[1, 0], [5, 9], [4, 3]]))[..., 0].tolist() == [[1, 0], [4, 0], [3, 2]]


def test_sizes_are_fixed_within_the_context_only():
    assert rows_of(6).total.tolist() == [4] and len(rows_of(6).cloud) == 6 and rows_of(6).longest == 5
    assert rows_of(None).total is None and len(rows_of(None).cloud) == 4 and rows_of(None).longest == 3


def test_rows_hold_visible_centres_cloud_by_cloud_then_padding():
    rows = rows_of(6)
    assert rows.index[:4].tolist() == [1, 3, 4, 5]
    assert rows.place.tolist() == [6, 0, 6, 1, 2, 3, 6, 6, 6, 6]
    assert rows.cloud[:4].tolist() == [0, 0, 0, 1]
    assert (rows.starts.tolist(), rows.counts.tolist(), rows.total.tolist()) == ([0, 3], [3, 1], [4])


def test_spread_is_zero_at_masked_centres_and_takes_no_gradient_to_padding():
    tokens = torch.arange(1., 7.).view(6, 1).requires_grad_()
    spread = rows_of(6).spread(tokens)
    assert spread[..., 0].tolist() == [[0, 1, 0, 2, 3], [4, 0, 0, 0, 0]]
    (2 * spread).sum().backward()
    assert tokens.grad[:, 0].tolist() == [2, 2, 2, 2, 0, 0]


def test_rows_of_all_are_the_centres_themselves():
    rows = Rows.of_all(2, 3, torch.device('cpu'))
    tokens = torch.arange(6.).view(6, 1)
    assert rows.cloud.tolist() == [0, 0, 0, 1, 1, 1]
    assert (rows.starts.tolist(), rows.counts.tolist(), rows.total) == ([0, 3], [3, 3], None)
    assert torch.equal(rows.spread(tokens), tokens.view(2, 3, 1))
