import pytest
import torch
import torch.nn.functional as F

from m2ae_mm.models.layers.token_linear import TokenLinear
from m2ae_mm.ops import use_reference
from m2ae_mm.ops.cpu.products import linear, outer
from m2ae_mm.ops.grouping import ROUND_ROWS

# Rows that go to oneDNN and rows that do not; so do three channels.
ROWS = [(ROUND_ROWS // 4, 4), (7, 5), (ROUND_ROWS, 2)]


@pytest.mark.parametrize('shape', ROWS)
@pytest.mark.parametrize('channels', [3, 12])
@pytest.mark.parametrize('width', [1, 9])
def test_is_the_product_in_double_precision(shape, channels, width):
    torch.manual_seed(0)
    values, weight, bias = torch.randn(*shape, channels), torch.randn(width, channels), torch.randn(width)
    expected = values.double() @ weight.double().t()
    torch.testing.assert_close(linear(values, weight).double(), expected, rtol=1e-5, atol=1e-5)
    found = linear(values, weight, bias)
    torch.testing.assert_close(found.double(), expected + bias, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous()


def test_takes_weights_and_values_in_any_layout():
    values, weight = torch.randn(12, ROUND_ROWS).t(), torch.randn(12, 9).t()
    torch.testing.assert_close(linear(values, weight), values @ weight.t(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('shape', ROWS)
@pytest.mark.parametrize('channels', [3, 12])
def test_sum_of_outer_products_in_double_precision(shape, channels):
    torch.manual_seed(0)
    left, right = torch.randn(*shape, 9), torch.randn(*shape, channels)
    expected = torch.einsum('tki, tkj -> ij', left.double(), right.double())
    torch.testing.assert_close(outer(left, right).double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('rows', [ROUND_ROWS, ROUND_ROWS + 1])
def test_gradients_of_a_token_linear_in_double_precision(rows):
    torch.manual_seed(0)
    layer = TokenLinear(24, 10)
    tokens, towards = torch.randn(1, rows, 24, requires_grad=True), torch.randn(1, rows, 10)
    found = torch.autograd.grad(layer(tokens), [tokens, layer.weight, layer.bias], towards)
    with use_reference():
        double = layer.double()(tokens.double())
    expected = torch.autograd.grad(double, [tokens, layer.weight, layer.bias], towards.double())
    for mine, theirs in zip(found, expected):
        torch.testing.assert_close(mine, theirs.float(), rtol=1e-4, atol=1e-4)
        # Of another layout than its parameter, a gradient costs distributed training a copy.
        assert mine.stride() == theirs.stride()


def test_only_round_numbers_of_rows_go_to_the_convolution(monkeypatch):
    rows, convolution = [], F.conv2d
    monkeypatch.setattr(F, 'conv2d', lambda x, *weights: rows.append(x.shape[2]) or convolution(x, *weights))
    for count, channels in [(ROUND_ROWS, 12), (ROUND_ROWS + 1, 12), (ROUND_ROWS // 2, 12), (3 * ROUND_ROWS, 3),
                            (3 * ROUND_ROWS, 9)]:
        linear(torch.randn(count, channels), torch.randn(2, channels))
    assert rows == [ROUND_ROWS, 3 * ROUND_ROWS]
