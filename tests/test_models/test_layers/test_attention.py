import pytest
import torch

from m2ae_mm.models.layers.attention import SelfAttention, attention_mask

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
    torch.testing.assert_close(layer(x, left_out), expected)


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match='10 and 4'):
        SelfAttention(10, 4)
