"""Attention on packed rows against PyTorch's on each cloud, and which pairs of tokens are near each other."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import (
    DEVICE,
    INTERPRETED,
    compile_kernel,
    compiles_kernels,
    on_gpu_kernels,
    runs_kernels,
)

from m2ae_mm.models.layers.attention import attention_mask
from m2ae_mm.ops import squared_distances, use_reference

gpu = pytest.importorskip('m2ae_mm.ops.attention.gpu')

# Tokens of clouds: one of two blocks first or last, and lone tokens.
FIRST, LAST = [70, 1, 13], [1, 1, 70]


@compiles_kernels
@pytest.mark.parametrize('width, dtype, local', [(128, torch.float32, True), (24, torch.bfloat16, False)])
def test_attention_compiles_without_a_gpu(width, dtype, local):
    types = dict(starts='*i64', counts='*i64', marks='*i32', sums='*fp32', scale='fp32')
    types |= dict.fromkeys(('qkv', 'output', 'gradient', 'd_qkv'), {2: '*bf16', 4: '*fp32'}[dtype.itemsize])
    for kernel, shapes in ((gpu._attend, gpu._FORWARD), (gpu._attend_backward_queries, gpu._FOR_QUERIES),
                           (gpu._attend_backward_keys, gpu._FOR_KEYS)):
        marks = torch.empty(1, 4) if local else None
        options = gpu._options(torch.empty(1, 3, 1, width, dtype=dtype), marks, shapes)
        constants = {name: value for name, value in options.items() if name.isupper()}
        constants |= {} if local else dict(marks=None)
        compiled = compile_kernel(kernel, types, constants, num_warps=options['num_warps'])
        assert compiled.metadata.shared <= 99 * 1024  # what a block has on GPUs smaller than an H100


@compiles_kernels
@pytest.mark.parametrize('ones', [{}, dict(length=1)])
def test_pairs_compile_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    from m2ae_mm.ops.attention import gpu_pairs
    types = dict(centers='*fp32', starts='*i64', counts='*i64', marks='*i32', output='*u8', limit='fp32')
    for kernel, constants in ((gpu_pairs._near_marks, dict(ROWS=64)),
                              (gpu_pairs._far_pairs, dict(ROWS=16, COLUMNS=512, **ones))):
        compiled = compile_kernel(kernel, types, constants, enable_fp_fusion=False)
        assert 'fma.rn.f32' not in compiled.asm['ptx']


def _cloud_by_cloud(qkv, counts, centers, radius):
    """``(R, heads, D)``, 0 behind the last cloud."""
    outputs, start = [], 0
    for count in counts:
        q, k, v = qkv[start:start + count].permute(1, 2, 0, 3)
        near = None
        if radius is not None:
            own = centers[None, start:start + count]
            near = squared_distances(own, own)[0] < radius**2
        outputs.append(F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=near)[0].transpose(0, 1))
        start += count
    rest = qkv.new_zeros(len(qkv) - start, *qkv.shape[2:])
    return torch.cat([*outputs, rest])


@runs_kernels
@pytest.mark.parametrize('width, radius, dtype, tolerance, counts', [
    (16, None, torch.float32, 2e-6, FIRST), (8, 0.4, torch.float32, 2e-6, FIRST),
    (128, 0.4, torch.float32, 2e-6, FIRST), (16, None, torch.float16, 2e-3, LAST), (32, 0.4, torch.float16, 2e-3, LAST),
    pytest.param(32, 0.4, torch.bfloat16, 1.6e-2, FIRST,
                 marks=pytest.mark.skipif(INTERPRETED, reason='bfloat16 products are wrong')),
])
def test_output_and_gradient(width, radius, dtype, tolerance, counts):
    torch.manual_seed(0)
    centers = torch.rand(87, 3)
    qkv = torch.randn(87, 3, 2, width).to(dtype)
    gradient = torch.randn(87, 2, width).to(dtype)
    exact = qkv.float().clone().requires_grad_()
    expected = _cloud_by_cloud(exact, counts, centers, radius)
    expected.backward(gradient.float())

    packed = qkv.to(DEVICE).clone().requires_grad_()
    lengths = torch.tensor(counts, device=DEVICE)
    starts = lengths.cumsum(0) - lengths
    marks = None if radius is None else gpu.near_marks(centers.to(DEVICE), starts, lengths, 100, radius)
    result = gpu.PackedAttention.apply(packed, starts, lengths, 100, marks)
    result.backward(gradient.to(DEVICE))
    assert result.dtype == packed.grad.dtype == dtype
    for ours, theirs in ((result, expected), (packed.grad, exact.grad)):
        assert (ours.cpu().float() - theirs).norm() < tolerance * theirs.norm()
        assert not ours[sum(counts):].any()  # padding


@runs_kernels
@pytest.mark.parametrize('padding', [1, 200])
def test_padding_is_cleared(padding, monkeypatch):
    """Whatever the memory held before; 200 rows of it are more than the programs of the last cloud have at once."""
    monkeypatch.setattr(gpu.torch, 'empty_like',
                        lambda other, **options: torch.full_like(other, float('nan'), **options))
    qkv = torch.randn(5 + padding, 3, 2, 8, device=DEVICE)
    qkv[5:] = float('nan')
    qkv.requires_grad_()
    spans = torch.tensor([0, 2], device=DEVICE), torch.tensor([2, 3], device=DEVICE)
    result = gpu.PackedAttention.apply(qkv, *spans, 3, None)
    result.backward(torch.ones_like(result))
    for values in (result, qkv.grad):
        assert values[:5].isfinite().all() and values[5:].eq(0).all()


@runs_kernels
def test_a_token_is_near_itself_and_nothing_at_the_radius_is():
    centers = torch.tensor([[0., 0, 0], [0.5, 0, 0], [float('nan'), 0, 0]], device=DEVICE)
    spans = torch.tensor([0], device=DEVICE), torch.tensor([3], device=DEVICE)
    assert gpu.near_marks(centers, *spans, 3, 0.5)[:, 0].tolist() == [1, 2, 4]
    assert gpu.near_marks(centers, *spans, 3, 0.51)[:, 0].tolist() == [3, 3, 4]
    assert gpu.near_marks(centers, *spans, 3, 0.)[:, 0].tolist() == [1, 2, 4]


def _masks(centers, radius):
    """By the kernel, and as it is without it."""
    with on_gpu_kernels():
        mask = attention_mask(centers, None, radius)
    with use_reference():
        return mask, attention_mask(centers, None, radius)


@runs_kernels
@pytest.mark.parametrize('length, radii', [(1, [0.1]), (70, [0., 0.1, 0.3, 0.5]), (520, [0.3])])
def test_mask_equals_the_reference(length, radii):
    """On a grid of tenths many pairs are as far apart as the radius, up to rounding."""
    centers = torch.rand(2, length, 3, generator=torch.Generator().manual_seed(0)).round(decimals=1).to(DEVICE)
    for radius in radii:
        ours, expected = _masks(centers, radius)
        assert ours.dtype == torch.bool and ours.shape == (2, 1, length, length) and torch.equal(ours, expected)


@runs_kernels
def test_mask_of_views_no_centers_and_what_is_not_a_number():
    centers = torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(0)).to(DEVICE).transpose(1, 2)
    centers[0, 3], centers[1, 4, 1] = torch.nan, torch.inf
    assert torch.equal(*_masks(centers, 0.4))
    assert torch.equal(*_masks(centers[:, :0], 0.4))


@runs_kernels
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_centers_of_other_precisions_are_compared_in_float32(dtype):
    centers = torch.rand(1, 20, 3, generator=torch.Generator().manual_seed(0)).to(DEVICE, dtype)
    assert torch.equal(*_masks(centers, 0.4))


@runs_kernels
@pytest.mark.parametrize('radius,far', [(0.35, False), (0.4, True)])
def test_the_radius_of_a_mask_is_squared_before_it_is_rounded(radius, far):
    centers = torch.tensor([[[0., 0, 0], [radius, 0, 0]]], device=DEVICE)
    for mask in _masks(centers, radius):
        assert mask[0, 0].tolist() == [[False, far], [far, False]]
