"""Triton distance mask against the reference: interpreted on a CPU, compiled where there is a GPU."""
import pytest
import torch
from interpreted import DEVICE, compiles_kernels, runs_kernels

from m2ae_mm.models.layers import attention


@compiles_kernels
@pytest.mark.parametrize('ones', [{}, dict(length=1)])
def test_kernel_compiles_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton.distance_mask import _beyond
    constants = dict(ROWS=16, COLUMNS=512, **ones)
    types = dict(centers='*fp32', output='*u8', length='i32', limit='fp32')
    signature = {name: 'constexpr' if name in constants else types[name] for name in _beyond.arg_names}
    source = compiler.ASTSource(_beyond, signature, constexprs=constants)
    compiled = compiler.compile(source, target=target, options=dict(enable_fp_fusion=False))
    assert 'fma.rn.f32' not in compiled.asm['ptx']


def _both(monkeypatch, centers, radius):
    """The mask by the kernel, and as it is without it."""
    from m2ae_mm.ops import triton
    masks = []
    for kernels in (triton, None):
        monkeypatch.setattr(attention, 'gpu_kernels', lambda values, kernels=kernels: kernels)
        masks.append(attention.attention_mask(centers, None, radius))
    return masks


@runs_kernels
@pytest.mark.parametrize('length', [1, 70, 520])
def test_equals_the_reference(monkeypatch, length):
    """On a grid of tenths many pairs are as far apart as the radius, up to rounding."""
    centers = torch.rand(2, length, 3, generator=torch.Generator().manual_seed(0)).round(decimals=1).to(DEVICE)
    for radius in (0., 0.1, 0.3, 0.5):
        ours, expected = _both(monkeypatch, centers, radius)
        assert ours.dtype == torch.bool and ours.shape == (2, 1, length, length) and torch.equal(ours, expected)


@runs_kernels
def test_views_no_centers_and_what_is_not_a_number(monkeypatch):
    centers = torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(0)).to(DEVICE).transpose(1, 2)
    centers[0, 3], centers[1, 4, 1] = torch.nan, torch.inf
    assert torch.equal(*_both(monkeypatch, centers, 0.4))
    assert torch.equal(*_both(monkeypatch, centers[:, :0], 0.4))


@runs_kernels
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_other_precisions_are_compared_in_float32(monkeypatch, dtype):
    centers = torch.rand(1, 20, 3, generator=torch.Generator().manual_seed(0)).to(DEVICE, dtype)
    assert torch.equal(*_both(monkeypatch, centers, 0.4))


@runs_kernels
@pytest.mark.parametrize('radius,far', [(0.35, False), (0.4, True)])
def test_the_radius_is_squared_before_it_is_rounded(monkeypatch, radius, far):
    centers = torch.tensor([[[0., 0, 0], [radius, 0, 0]]], device=DEVICE)
    for mask in _both(monkeypatch, centers, radius):
        assert mask[0, 0].tolist() == [[False, far], [far, False]]
