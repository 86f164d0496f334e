import dataclasses
import itertools

import pytest
import torch

from m2ae_mm.models.layers.attention import SelfAttention, attend, attention_mask, pairs_within
from m2ae_mm.models.layers.packing import Rows
from m2ae_mm.ops import use_reference


def attend_within(layer, x, left_out):
    """``layer`` on clouds ``(B, L, C)`` of one size."""
    return layer(x.flatten(0, 1), Rows.of_all(*x.shape[:2], x.device), left_out).view(x.shape)


LINE = torch.tensor([[[0., 0, 0], [1, 0, 0], [3, 0, 0]]])


def test_radius_excludes_pairs_at_or_beyond_it():
    left_out = attention_mask(LINE, None, 2.)
    assert left_out[0, 0].tolist() == [[False, False, True], [False, False, True], [True, True, False]]
    # A distance of exactly the radius does not attend.
    assert attention_mask(LINE, None, 1.)[0, 0, 0].tolist() == [False, True, True]


def test_padding_is_never_seen_but_sees_itself():
    padded = torch.tensor([[False, False, True]])
    left_out = attention_mask(LINE, padded, 10.)
    assert left_out[0, 0].tolist() == [[False, False, True], [False, False, True], [False, False, False]]
    assert attention_mask(LINE, padded, None)[0, 0].tolist() == [[False, False, True]]
    assert attention_mask(LINE, None, None) is None


def test_attention_against_softmax_by_hand():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2).double()
    x = torch.randn(1, 3, 8, dtype=torch.double)
    left_out = attention_mask(LINE, None, 2.)
    q, k, v = layer.qkv(x).view(3, 3, 2, 4).permute(1, 2, 0, 3)
    weights = (q @ k.transpose(1, 2) / 2).masked_fill(left_out[0], -torch.inf).softmax(-1)
    expected = layer.proj((weights @ v).transpose(0, 1).reshape(1, 3, 8))
    torch.testing.assert_close(attend_within(layer, x, left_out), expected)


@pytest.mark.parametrize('threads', [1, 2])
def test_pairs_that_take_part_alone_give_the_same(threads):
    torch.manual_seed(0)
    layer = SelfAttention(48, 3)
    x = torch.randn(3, 40, 48)
    left_out = torch.rand(3, 1, 40, 40) > 0.08
    left_out.diagonal(dim1=2, dim2=3).fill_(False)
    towards = torch.randn(3, 40, 48)

    def run():
        values = x.clone().requires_grad_()
        layer.zero_grad()
        result = attend_within(layer, values, left_out)
        (result * towards).sum().backward()
        return result.detach(), values.grad, layer.qkv.weight.grad.clone()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fast = run()
    finally:
        torch.set_num_threads(before)
    with use_reference():
        slow = run()
    for mine, theirs in zip(fast, slow):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    # The two are different computations: the fast one was taken, and only where few pairs take part.
    assert not torch.equal(fast[0], slow[0])
    dense = torch.rand(3, 1, 40, 40) > 0.5
    dense.diagonal(dim1=2, dim2=3).fill_(False)
    with use_reference():
        expected = attend_within(layer, x, dense)
    assert torch.equal(attend_within(layer, x, dense), expected)


def test_few_pairs_are_computed_in_float32_under_autocast():
    torch.manual_seed(0)
    layer = SelfAttention(48, 3)
    x = torch.randn(2, 40, 48)
    self_only = torch.eye(40, dtype=torch.bool)
    left_out = ~(self_only | self_only.roll(1, 1)).expand(2, 1, 40, 40)
    expected = attend_within(layer, x, left_out)
    with torch.autocast('cpu', torch.bfloat16):
        found = attend_within(layer, x, left_out)
    assert found.dtype == torch.bfloat16
    # As close as two linear layers with 8 bits of mantissa come: values are up to 1.
    assert (found.float() - expected).abs().max() < 2**-7
    # The kernels are of float32: float64 keeps its precision.
    found = attend_within(layer.double(), x.double(), left_out)
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-5)


def test_fused_attention_is_computed_in_float32_under_autocast():
    q, k, v = torch.randn(3, 2, 3, 20, 8, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    left_out = torch.eye(20, dtype=torch.bool)
    expected = attend(q.float(), k.float(), v.float(), left_out)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(attend(q, k, v, left_out), expected)
    assert attend(q, k, v, left_out).dtype == torch.bfloat16


def test_large_scores_neither_overflow_nor_vanish():
    layer = SelfAttention(8, 1)
    with torch.no_grad():
        layer.qkv.weight.copy_(torch.cat([100 * torch.eye(8), 100 * torch.eye(8), torch.eye(8)]))
        layer.proj.weight.copy_(torch.eye(8))
        layer.proj.bias.zero_()
    x = torch.randn(1, 16, 8, generator=torch.Generator().manual_seed(0))
    left_out = ~torch.eye(16, dtype=torch.bool)
    left_out[0, 1] = False
    scores = 1e4 * x[0, 0] @ x[0, :2].T / 8**0.5
    expected = scores.softmax(0) @ x[0, :2]
    torch.testing.assert_close(attend_within(layer, x, left_out.view(1, 1, 16, 16))[0, 0], expected)


def test_what_is_not_a_number_reaches_those_who_see_it():
    layer = SelfAttention(8, 1)
    left_out = ~torch.eye(32, dtype=torch.bool)
    left_out[3, 5] = False
    x = torch.randn(1, 32, 8)
    x[0, 5] = torch.nan
    reached = attend_within(layer, x, left_out.view(1, 1, 32, 32)).isnan().all(2)[0]
    assert reached.nonzero().flatten().tolist() == [3, 5]


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match='10 and 4'):
        SelfAttention(10, 4)


def test_clouds_of_different_sizes_do_not_see_each_other():
    torch.manual_seed(0)
    layer, masked = SelfAttention(8, 2), torch.tensor([[False, True, False], [True, True, False]])
    packed = Rows.of(masked)
    x, centers = torch.randn(3, 8), torch.rand(3, 3)
    for radius, rows in itertools.product((None, 0.5), (packed, dataclasses.replace(packed, lengths=None))):
        together = layer(x, rows, pairs_within(radius, x, centers, rows))
        for part in (slice(0, 2), slice(2, 3)):
            one = Rows.of_all(1, len(x[part]), x.device)
            alone = layer(x[part], one, pairs_within(radius, x, centers[part], one))
            torch.testing.assert_close(together[part], alone)
