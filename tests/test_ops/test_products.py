import pytest
import torch

from m2ae_mm.ops.cpu.products import linear, outer


@pytest.mark.parametrize('shape', [(7, 5, 12), (1, 1, 12), (40, 12)])
@pytest.mark.parametrize('channels', [1, 9])
def test_is_the_product_in_double_precision(shape, channels):
    torch.manual_seed(0)
    values, weight = torch.randn(shape), torch.randn(channels, 12)
    found = linear(values, weight)
    torch.testing.assert_close(found.double(), values.double() @ weight.double().t(), rtol=1e-5, atol=1e-5)
    assert found.is_contiguous()


def test_takes_weights_and_values_in_any_layout():
    values, weight = torch.randn(12, 30).t(), torch.randn(12, 9).t()
    torch.testing.assert_close(linear(values, weight), values @ weight.t(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('shape', [(7, 5), (1, 1), (40, )])
def test_sum_of_outer_products_in_double_precision(shape):
    torch.manual_seed(0)
    left, right = torch.randn(*shape, 9), torch.randn(12, *shape).movedim(0, -1)
    expected = left.double().reshape(-1, 9).t() @ right.double().reshape(-1, 12)
    torch.testing.assert_close(outer(left, right).double(), expected, rtol=1e-5, atol=1e-5)
