import pytest
import torch

from m2ae_mm.ops import max_over_members, use_reference


def pooled_with_gradient(values):
    values = values.clone().requires_grad_()
    pooled = max_over_members(values)
    (pooled * torch.arange(1., pooled.numel() + 1).view_as(pooled)).sum().backward()
    return pooled.detach(), values.grad


def test_by_hand_the_first_of_equals_receives_the_gradient():
    values = torch.tensor([[[1., -2.], [3., -2.], [3., -5.]]])
    pooled, gradient = pooled_with_gradient(values)
    assert pooled.tolist() == [[3., -2.]]
    assert gradient.tolist() == [[[0., 2.], [1., 0.], [0., 0.]]]


@pytest.mark.parametrize('shape', [(4, 3), (2, 3, 4, 5), (2, 0, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r'shape \(T, k, C\) with k >= 1, got'):
        max_over_members(torch.zeros(shape))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('shape', [(1, 1, 1), (7, 5, 3), (50, 16, 33)])
def test_fast_path_equals_reference(shape, dtype):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).round(decimals=1).to(dtype)  # equals, too
    fast = pooled_with_gradient(values)
    with use_reference():
        slow = pooled_with_gradient(values)
    assert torch.equal(fast[0], slow[0]) and torch.equal(fast[1], slow[1])


def test_not_a_number_is_kept():
    values = torch.tensor([[[1.], [float('nan')], [2.]]])
    assert max_over_members(values).isnan().all()


def test_members_of_a_view_are_read_in_their_order():
    values = torch.arange(24.).view(4, 3, 2).transpose(0, 1)  # (3, 4, 2), not contiguous
    assert max_over_members(values).tolist() == [[18., 19.], [20., 21.], [22., 23.]]


def test_no_groups_give_no_rows():
    assert max_over_members(torch.zeros(0, 4, 3)).shape == (0, 3)


def test_half_precision_keeps_its_type():
    values = torch.tensor([[[1.], [2.]]], dtype=torch.bfloat16)
    assert max_over_members(values).dtype == torch.bfloat16


def test_double_precision_is_not_lost():
    pooled, gradient = pooled_with_gradient(torch.tensor([[[1.], [1 + 1e-12]]], dtype=torch.double))
    assert pooled.item() == 1 + 1e-12 and gradient.flatten().tolist() == [0, 1]
