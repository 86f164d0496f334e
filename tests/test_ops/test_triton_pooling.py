"""Triton max-pool against the reference: interpreted on a CPU, compiled where there is a GPU."""
import pytest
import torch
from interpreted import DEVICE, compiles_kernels, runs_kernels

from m2ae_mm.ops import reference


@compiles_kernels
@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'fp16'])
def test_kernels_compile_without_a_gpu(dtype):
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton import pooling
    for kernel in (pooling._largest, pooling._spread):
        constants = dict(zip(('GROUPS', 'COLUMNS', 'UNROLLED'), pooling._tile(8)))
        if dtype == 'bf16':  # arguments equal to 1 become constants
            constants |= dict(groups=1, k=1, channels=1)
        types = dict(dict.fromkeys(('groups', 'k', 'channels'), 'i32'), member='*i32')
        signature = {name: 'constexpr' if name in constants else types.get(name, f'*{dtype}')
                     for name in kernel.arg_names}
        compiler.compile(compiler.ASTSource(kernel, signature, constexprs=constants), target=target)


def _values(shape, dtype):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    return values.to(DEVICE, dtype)  # rounded: many are equal


@runs_kernels
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('shape', [(1, 1, 1), (17, 3, 24), (5, 40, 96)])
def test_equals_the_reference_both_ways(shape, dtype):
    from m2ae_mm.ops.triton import pooling
    values = _values(shape, dtype)
    largest, member = pooling.max_over_members(values)
    expected, chosen = values.cpu().max(1)  # on a CPU the first of equals, elsewhere any
    assert largest.dtype == dtype and torch.equal(largest.cpu(), expected)
    assert member.dtype == torch.int32 and torch.equal(member.cpu(), chosen.int())
    gradient = _values((shape[0], shape[2]), dtype)
    result = pooling.max_over_members_backward(gradient, member, shape[1])
    assert torch.equal(result, reference.max_over_members_backward(gradient, member, shape[1]))


@runs_kernels
def test_members_exist_whatever_the_values_are():
    from m2ae_mm.ops.triton import pooling
    nan, inf = float('nan'), float('inf')
    values = torch.tensor([[-inf, -inf, -inf], [nan, nan, 1.], [2., nan, 3.], [inf, 1., inf]], device=DEVICE)
    largest, member = pooling.max_over_members(values.unsqueeze(2))
    assert member[:, 0].tolist() == [0, 0, 1, 0]
    assert largest[1:3].isnan().all() and largest[[0, 3], 0].tolist() == [-inf, inf]


@runs_kernels
def test_views_and_no_groups():
    from m2ae_mm.ops.triton import pooling
    values = _values((4, 5, 24), torch.float32).transpose(0, 1)
    assert torch.equal(pooling.max_over_members(values)[0], values.max(1).values)
    largest, member = pooling.max_over_members(values[:0])
    assert largest.shape == (0, 24) and pooling.max_over_members_backward(largest, member, 4).shape == (0, 4, 24)
