"""Attention on packed rows against PyTorch's on each cloud."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import DEVICE, INTERPRETED, compiles_kernels, runs_kernels

from m2ae_mm.ops import squared_distances


@compiles_kernels
@pytest.mark.parametrize('local', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('width', [24, 128])
def test_kernels_compile_without_a_gpu(width, dtype, local):
    """The interpreter accepts what the compiler's types do not."""
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton import attention
    types = dict(starts='*i64', counts='*i64', marks='*i32', sums='*fp32', scale='fp32')
    types |= dict.fromkeys(('qkv', 'output', 'gradient', 'd_qkv'), {2: '*bf16', 4: '*fp32'}[dtype.itemsize])
    for kernel, shapes in ((attention._attend, attention._FORWARD),
                           (attention._attend_backward_queries, attention._FOR_QUERIES),
                           (attention._attend_backward_keys, attention._FOR_KEYS)):
        marks = torch.empty(1, 4) if local else None
        options = attention._options(torch.empty(1, 3, 1, width, dtype=dtype), marks, shapes)
        constants = {name: value for name, value in options.items() if name.isupper()}
        constants |= {} if local else dict(marks=None)
        signature = {name: 'constexpr' if name in constants else types.get(name, 'i32') for name in kernel.arg_names}
        source = compiler.ASTSource(kernel, signature, constexprs=constants)
        compiled = compiler.compile(source, target=target, options=dict(num_warps=options['num_warps']))
        assert compiled.metadata.shared <= 99 * 1024  # what a block has on GPUs smaller than an H100


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
@pytest.mark.parametrize('dtype, tolerance', [
    (torch.float32, 2e-6), (torch.float16, 2e-3),
    pytest.param(torch.bfloat16, 1.6e-2, marks=pytest.mark.skipif(INTERPRETED, reason='bfloat16 products are wrong')),
])
@pytest.mark.parametrize('width, radius', [(16, None), (8, 0.4), (32, 0.4), (128, 0.4)])
def test_output_and_gradient(width, radius, dtype, tolerance):
    from m2ae_mm.ops.triton import PackedAttention, near_marks
    torch.manual_seed(0)
    counts = [70, 1, 13]  # two blocks, a lone token; three rows of padding
    centers = torch.rand(87, 3)
    qkv = torch.randn(87, 3, 2, width).to(dtype)
    gradient = torch.randn(87, 2, width).to(dtype)
    exact = qkv.float().clone().requires_grad_()
    expected = _cloud_by_cloud(exact, counts, centers, radius)
    expected.backward(gradient.float())

    packed = qkv.to(DEVICE).clone().requires_grad_()
    starts, lengths = torch.tensor([0, 70, 71]).to(DEVICE), torch.tensor(counts).to(DEVICE)
    marks = None if radius is None else near_marks(centers.to(DEVICE), starts, lengths, 100, radius)
    result = PackedAttention.apply(packed, starts, lengths, 100, marks)
    result.backward(gradient.to(DEVICE))
    assert result.dtype == packed.grad.dtype == dtype
    for ours, theirs in ((result, expected), (packed.grad, exact.grad)):
        assert (ours.cpu().float() - theirs).norm() < tolerance * theirs.norm()
        assert not ours[84:].any()


@runs_kernels
@pytest.mark.parametrize('padding', [0, 1, 200])
def test_padding_is_cleared(padding, monkeypatch):
    """Whatever the memory held before; 200 rows of it are more than the programs of the last cloud have at once."""
    from m2ae_mm.ops.triton import attention
    monkeypatch.setattr(attention.torch, 'empty_like',
                        lambda other, **options: torch.full_like(other, float('nan'), **options))
    qkv = torch.randn(5 + padding, 3, 2, 8, device=DEVICE)
    qkv[5:] = float('nan')
    qkv.requires_grad_()
    spans = torch.tensor([0, 2], device=DEVICE), torch.tensor([2, 3], device=DEVICE)
    result = attention.PackedAttention.apply(qkv, *spans, 3, None)
    result.backward(torch.ones_like(result))
    for values in (result, qkv.grad):
        assert values[:5].isfinite().all() and values[5:].eq(0).all()


@runs_kernels
def test_pairs_at_the_radius_are_left_out():
    from m2ae_mm.ops.triton import PackedAttention, near_marks
    centers = torch.tensor([[0., 0, 0], [0.5, 0, 0], [1., 0, 0]], device=DEVICE)
    qkv = torch.zeros(3, 3, 1, 16, device=DEVICE)  # equal weights for all that is seen
    qkv[:, 2, 0, 0] = torch.tensor([1., 2, 6], device=DEVICE)
    spans = torch.tensor([0], device=DEVICE), torch.tensor([3], device=DEVICE)
    seen = {radius: PackedAttention.apply(qkv, *spans, 3, near_marks(centers, *spans, 3, radius))[:, 0, 0].tolist()
            for radius in (0.5, 0.6)}
    assert seen == {0.5: [1, 2, 6], 0.6: [1.5, 3, 4]}
    assert PackedAttention.apply(qkv, *spans, 3, None)[:, 0, 0].tolist() == [3, 3, 3]


@runs_kernels
def test_clouds_before_the_last_clear_nothing():
    """Short clouds have programs without a query of their own."""
    from m2ae_mm.ops.triton import PackedAttention
    torch.manual_seed(0)
    counts = [1, 1, 70]
    exact = torch.randn(72, 3, 2, 16).requires_grad_()
    packed = exact.detach().to(DEVICE).requires_grad_()
    expected = _cloud_by_cloud(exact, counts, None, None)
    starts, lengths = torch.tensor([0, 1, 2]).to(DEVICE), torch.tensor(counts).to(DEVICE)
    result = PackedAttention.apply(packed, starts, lengths, 70, None)
    for output in (expected, result):
        output.square().sum().backward()
    for ours, theirs in ((result, expected), (packed.grad, exact.grad)):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-4, atol=1e-5)
