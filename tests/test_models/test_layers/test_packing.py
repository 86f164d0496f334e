import torch

from m2ae_mm.models.layers.packing import Rows, RowSizes, _round_length, pack, pack_visible, unpack

MASKED = torch.tensor([[True, False, True, False, False], [False, True, True, True, True]])


def test_visible_tokens_come_first_in_their_order():
    packing = pack_visible(MASKED)
    assert packing.order[0].tolist() == [1, 3, 4]
    assert packing.order[1, 0] == 0
    assert packing.padded.tolist() == [[False, False, False], [False, True, True]]


def test_unpack_restores_positions_and_zeroes_the_rest():
    tokens = torch.arange(1., 11.).view(2, 5, 1)
    packing = pack_visible(MASKED)
    restored = unpack(pack(tokens, packing), packing, 5)
    assert restored[..., 0].tolist() == [[0, 2, 0, 4, 5], [6, 0, 0, 0, 0]]


def test_gradient_reaches_visible_tokens_only():
    tokens = torch.ones(2, 5, 1, requires_grad=True)
    packing = pack_visible(MASKED)
    unpack(pack(tokens, packing), packing, 5).sum().backward()
    assert torch.equal(tokens.grad[..., 0], (~MASKED).float())


def test_lengths_are_rounded_on_a_gpu_only():
    assert [_round_length(33, 512, device) for device in ('cpu', 'cuda')] == [33, 64]
    assert _round_length(500, 510, 'cuda') == 510


def test_rows_hold_visible_centres_cloud_by_cloud_then_padding():
    rows = Rows.of(MASKED, 6)
    assert rows.index[:4].tolist() == [1, 3, 4, 5]
    assert rows.place.tolist() == [6, 0, 6, 1, 2, 3, 6, 6, 6, 6]
    assert rows.cloud[:4].tolist() == [0, 0, 0, 1]
    assert (rows.starts.tolist(), rows.counts.tolist(), rows.total.tolist()) == ([0, 3], [3, 1], [4])


def test_spread_is_zero_at_masked_centres_and_takes_no_gradient_to_padding():
    tokens = torch.arange(1., 7.).view(6, 1).requires_grad_()
    spread = Rows.of(MASKED, 6).spread(tokens, 2)
    assert spread[..., 0].tolist() == [[0, 1, 0, 2, 3], [4, 0, 0, 0, 0]]
    (2 * spread).sum().backward()
    assert tokens.grad[:, 0].tolist() == [2, 2, 2, 2, 0, 0]


def test_rows_of_all_are_the_centres_themselves():
    rows = Rows.of_all(2, 3, torch.device('cpu'))
    tokens = torch.arange(6.).view(6, 1)
    assert rows.cloud.tolist() == [0, 0, 0, 1, 1, 1]
    assert (rows.starts.tolist(), rows.counts.tolist(), rows.total.tolist()) == ([0, 3], [3, 3], [6])
    assert torch.equal(rows.spread(tokens, 2), tokens.view(2, 3, 1))


def test_row_sizes_grow_with_a_margin_and_stay():
    def masks(visible):
        mask = torch.ones(4, 2048, dtype=torch.bool)
        mask.view(-1)[:visible] = False
        return [mask]

    sizes = RowSizes()
    assert sizes.fit(masks(1000)) == [1280] and sizes.grown  # 1030, rounded up to a multiple of 256
    assert sizes.fit(masks(1280)) == [1280] and not sizes.grown
    assert sizes.fit(masks(1281)) == [1536] and sizes.grown
    assert sizes.fit(masks(500)) == [1536] and not sizes.grown
    assert sizes.fit(masks(8192)) == [8192]  # there are no more
    assert RowSizes().fit(masks(500)) == [768]


def test_row_sizes_of_every_scale_fit_all_batches():
    def masks(*visible):
        return [torch.arange(2048).view(2, 1024) >= count for count in visible]

    sizes = RowSizes()
    assert sizes.fit(masks(1000, 10)) == [1280, 256]
    assert sizes.fit(masks(10, 1000)) == [1280, 1280] and sizes.grown
    assert sizes.fit(masks(1000, 1000)) == [1280, 1280] and not sizes.grown
