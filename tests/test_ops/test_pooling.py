import pytest
import torch
from interpreted import compile_kernel, compiles_kernels, every_kernel, every_path

from m2ae_mm.ops import max_over_members, use_reference
from m2ae_mm.ops.pooling import _max_over_members, _max_over_members_backward


def pooled_with_gradient(values):
    values = values.clone().requires_grad_()
    pooled = max_over_members(values)
    (pooled * torch.arange(1., pooled.numel() + 1, device=values.device).view_as(pooled)).sum().backward()
    return pooled.detach(), values.grad


@every_path
def test_by_hand_the_first_of_equals_receives_the_gradient(device):
    values = torch.tensor([[[1., -2.], [3., -2.], [3., -5.]]], device=device)
    pooled, gradient = pooled_with_gradient(values)
    assert pooled.tolist() == [[3., -2.]]
    assert gradient.tolist() == [[[0., 2.], [1., 0.], [0., 0.]]]


@pytest.mark.parametrize('shape', [(4, 3), (2, 3, 4, 5), (2, 0, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r'shape \(T, k, C\) with k >= 1, got'):
        max_over_members(torch.zeros(shape))


@every_kernel
@pytest.mark.parametrize('shape, dtype', [
    ((1, 1, 1), torch.float32), ((7, 5, 3), torch.bfloat16), ((17, 3, 24), torch.float16),
    ((5, 40, 96), torch.float32), ((50, 16, 33), torch.bfloat16)])
def test_equals_the_reference(shape, dtype, device):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).round(decimals=1).to(dtype)  # equals, too
    fast = pooled_with_gradient(values.to(device))
    with use_reference():
        slow = pooled_with_gradient(values)  # on a CPU the first of equals, elsewhere any
    assert fast[0].dtype == dtype and torch.equal(fast[0].cpu(), slow[0]) and torch.equal(fast[1].cpu(), slow[1])


@every_kernel
def test_members_exist_whatever_the_values_are(device):
    nan, inf = float('nan'), float('inf')
    values = torch.tensor([[-inf, -inf, -inf], [nan, nan, 1.], [2., nan, 3.], [inf, 1., inf]], device=device)
    largest, member = _max_over_members(values.unsqueeze(2))
    assert member[2:, 0].tolist() == [1, 0] and member.dtype == torch.int32
    assert ((member >= 0) & (member < 3)).all()
    assert largest[1:3].isnan().all() and largest[[0, 3], 0].tolist() == [-inf, inf]


@every_path
def test_members_of_a_view_are_read_in_their_order(device):
    values = torch.arange(24., device=device).view(4, 3, 2).transpose(0, 1)  # (3, 4, 2), not contiguous
    assert max_over_members(values).tolist() == [[18., 19.], [20., 21.], [22., 23.]]


@every_path
def test_no_groups_give_no_rows(device):
    values = torch.zeros(0, 4, 3, device=device, requires_grad=True)
    max_over_members(values).sum().backward()
    assert values.grad.shape == (0, 4, 3)


def test_double_precision_is_not_lost():
    pooled, gradient = pooled_with_gradient(torch.tensor([[[1.], [1 + 1e-12]]], dtype=torch.double))
    assert pooled.item() == 1 + 1e-12 and gradient.flatten().tolist() == [0, 1]


def test_keep_the_promises_of_operators():
    torch.library.opcheck(_max_over_members, (torch.rand(5, 3, 2, requires_grad=True), ))
    torch.library.opcheck(_max_over_members_backward, (torch.rand(5, 2), torch.ones(5, 2, dtype=torch.int32), 3))


@compiles_kernels
@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'fp16'])
def test_kernels_compile_without_a_gpu(dtype):
    from m2ae_mm.ops.pooling import gpu
    constants = dict(zip(('GROUPS', 'COLUMNS', 'UNROLLED'), gpu._tile(8)))
    if dtype == 'bf16':  # arguments equal to 1 become constants
        constants |= dict(groups=1, k=1, channels=1)
    types = dict(dict.fromkeys(('groups', 'k', 'channels'), 'i32'), member='*i32')
    for kernel in (gpu._largest, gpu._spread):
        compile_kernel(kernel, types, constants, rest=f'*{dtype}')
