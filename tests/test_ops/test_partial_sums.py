"""Merging of partial sums."""
import pytest
import torch
from interpreted import DEVICE, compile_kernel, compiles_kernels, runs_kernels

partial_sums = pytest.importorskip('m2ae_mm.ops.partial_sums')


@compiles_kernels
def test_kernel_compiles_without_a_gpu():
    compiled = compile_kernel(partial_sums._merge, dict(partial='*fp32', total='*fp32'), dict(ROWS=1024, COLUMNS=8))
    assert compiled.metadata.shared <= 48 * 1024


@runs_kernels
@pytest.mark.parametrize('shape', [(1, 5), (3, 2, 24), (660, 1), (100, 3, 13), (0, 4), (5, 0)])
def test_sum_over_programs(shape):
    partial = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    result = partial_sums.merge_sums(partial)
    torch.testing.assert_close(result.double(), partial.double().sum(0), rtol=0, atol=1e-4)
    assert result.dtype == torch.float32 and torch.equal(result, partial_sums.merge_sums(partial))


@runs_kernels
def test_a_nan_is_kept():
    partial = torch.zeros(7, 9, device=DEVICE)
    partial[4, 2] = float('nan')
    assert partial_sums.merge_sums(partial).isnan().nonzero().tolist() == [[2]]
