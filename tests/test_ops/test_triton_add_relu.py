"""Triton add and ReLU against PyTorch: interpreted on a CPU, compiled where there is a GPU."""
import pytest
import torch
from interpreted import DEVICE, INTERPRETED, compiles_kernels, runs_kernels

from m2ae_mm.models.layers import mini_pointnet


@compiles_kernels
@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'fp16'])
def test_kernel_compiles_without_a_gpu(dtype):
    compiler = pytest.importorskip('triton.compiler')
    target = pytest.importorskip('triton.backends.compiler').GPUTarget('cuda', 80, 32)
    from m2ae_mm.ops.triton.add_relu import _add_relu
    constants = dict(K=16, C=512, ROWS=16, COLUMNS=128)
    if dtype == 'bf16':  # arguments equal to 1 become constants
        constants |= dict(rows=1, K=1, C=1, ROWS=2048, COLUMNS=1)
    types = dict(x=f'*{dtype}', shared=f'*{dtype}', rows='i32')
    signature = {name: 'constexpr' if name in constants else types[name] for name in _add_relu.arg_names}
    compiler.compile(compiler.ASTSource(_add_relu, signature, constexprs=constants), target=target)


def _inputs(groups, k, channels, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (groups * k, channels), (groups, channels)
    return [torch.randn(shape, generator=generator).to(DEVICE, dtype) for shape in shapes]


def _same(ours, expected):
    """Bit by bit; the interpreter cuts off where bfloat16 is rounded."""
    tolerance = {} if INTERPRETED and expected.dtype == torch.bfloat16 else dict(rtol=0, atol=0)
    torch.testing.assert_close(ours, expected, equal_nan=True, **tolerance)


def _pytorch(x, shared, k):
    return torch.relu(x.view(len(shared), k, -1) + shared.unsqueeze(1)).flatten(0, 1)


@runs_kernels
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(('groups', 'k', 'channels'), [(1, 1, 1), (9, 16, 24), (7, 3, 200), (2, 70, 64)])
def test_equals_pytorch_in_place(groups, k, channels, dtype):
    from m2ae_mm.ops.triton import add_relu
    x, shared = _inputs(groups, k, channels, dtype)
    expected = _pytorch(x, shared, k)
    assert add_relu(x, shared, k) is x
    _same(x, expected)


@runs_kernels
def test_views_no_rows_and_what_is_not_a_number():
    from m2ae_mm.ops.triton import add_relu
    x, shared = _inputs(5, 4, 24)
    shared = shared.T.contiguous().T
    x[3, 2], shared[2, 5] = torch.nan, -torch.inf
    expected = _pytorch(x, shared, 4)
    _same(add_relu(x, shared, 4), expected)
    assert x.isnan().sum() == 1
    assert add_relu(x[:0], shared[:0], 4).shape == (0, 24)


@runs_kernels
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 0), (torch.bfloat16, 1e-2)])
def test_mini_pointnet_in_evaluation(monkeypatch, dtype, tolerance):
    from m2ae_mm.ops import triton
    torch.manual_seed(0)
    layer = mini_pointnet.MiniPointNet(3, (8, 12, 16), 5).eval().to(DEVICE)
    groups = torch.randn(6, 4, 3).to(DEVICE)
    with torch.no_grad(), torch.autocast(DEVICE, dtype, dtype != torch.float32):
        monkeypatch.setattr(mini_pointnet, 'gpu_kernels', lambda values: None)
        expected = layer(groups)
        monkeypatch.setattr(mini_pointnet, 'gpu_kernels', lambda values: triton)
        torch.testing.assert_close(layer(groups), expected, rtol=0, atol=tolerance)
        assert expected.dtype == (torch.float32 if DEVICE == 'cpu' else dtype)


def test_biases_keep_the_dtype_of_what_they_are_added_to_except_on_a_cpu():
    x, bias = torch.ones(2, 3, dtype=torch.bfloat16), torch.ones(3)
    assert mini_pointnet._plus(x.to('meta'), bias.to('meta')).dtype == torch.bfloat16
    assert mini_pointnet._plus(x, bias).dtype == torch.float32
