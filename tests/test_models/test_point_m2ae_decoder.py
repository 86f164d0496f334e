import pytest
import torch
from torch import nn

from m2ae_mm.models.necks.point_m2ae_decoder import TokenPropagation
from m2ae_mm.ops import interpolate


def inputs(skip):
    torch.manual_seed(0)
    return torch.rand(2, 30, 3), torch.rand(2, 8, 3), torch.randn(2, 30, 5) if skip else None, torch.randn(2, 8, 6)


@pytest.mark.parametrize('skip', [True, False])
def test_fusing_before_interpolation_is_fusing_after_it(skip):
    fine, coarse, own, tokens = inputs(skip)
    layer = TokenPropagation(6, 5 if skip else 0, 7)
    tokens.requires_grad_()
    found = layer(fine, coarse, own, tokens)
    x = interpolate(fine, coarse, tokens)
    x = layer.fuse(x if own is None else torch.cat([own, x], -1))
    expected = layer.blocks(nn.functional.gelu(x))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    of_found, of_expected = (torch.autograd.grad(each.square().sum(), [tokens, *layer.parameters()])
                             for each in (found, expected))
    for ours, theirs in zip(of_found, of_expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_a_layer_with_a_hook_is_called():
    layer, seen = TokenPropagation(6, 5, 7), []
    layer.fuse.linear.register_forward_hook(lambda module, args, result: seen.append(args[0].shape))
    layer(*inputs(True))
    assert seen == [(2, 30, 11)]
