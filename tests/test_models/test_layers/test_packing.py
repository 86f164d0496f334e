import torch

from m2ae_mm.models.layers.packing import pack, pack_visible, unpack

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
