"""Products of linear layers: by oneDNN on a CPU, and with the gradients of the GPU's kernels."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import DEVICE, compile_kernel, compiles_kernels, runs_kernels
from torch import nn

from m2ae_mm.models.layers.token_layers import TokenLinear
from m2ae_mm.ops import use_reference
from m2ae_mm.ops.grouping import ROUND_ROWS
from m2ae_mm.ops.linear.cpu import linear, weight_gradient

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
def test_gradient_of_a_weight_in_double_precision(shape, channels):
    torch.manual_seed(0)
    left, right = torch.randn(*shape, 9), torch.randn(*shape, channels)
    expected = torch.einsum('tki, tkj -> ij', left.double(), right.double())
    torch.testing.assert_close(weight_gradient(left, right).double(), expected, rtol=1e-5, atol=1e-4)


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


def _normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0])).to(DEVICE)


@compiles_kernels
@pytest.mark.parametrize('dtype, capability', [('fp32', 80), ('bf16', 90), ('fp16', 80)])
def test_kernel_compiles_without_a_gpu(dtype, capability):
    from m2ae_mm.ops.linear.gpu import _sum_chunks
    types = dict(values=f'*{dtype}', partial='*fp32')
    compiled = compile_kernel(_sum_chunks, types, dict(ROWS=32, COLUMNS=64), capability=capability, num_warps=4)
    assert 'atom.global' not in compiled.asm['ptx'] and 'red.global' not in compiled.asm['ptx']


@runs_kernels
@pytest.mark.parametrize('rows, columns, dtype', [
    (0, 24, torch.float32), (1, 1, torch.bfloat16), (70, 96, torch.float32), (150, 24, torch.bfloat16),
    (45, 130, torch.float32)])
def test_column_sum(rows, columns, dtype, monkeypatch):
    from m2ae_mm.ops.linear import gpu
    monkeypatch.setattr(gpu, '_PROGRAMS', 6)
    values = (_normal(rows, columns) + 1).to(dtype)
    expected = values.double().sum(0)
    for given in (values, values.T.contiguous().T):
        result = gpu.column_sum(given)
        assert result.dtype == torch.float32
        torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('rows', 'columns'), [(38501, 96), (1701, 1536)])
def test_column_sum_of_many_rows(rows, columns):
    from m2ae_mm.ops.linear.gpu import column_sum
    values = _normal(rows, columns).bfloat16()
    result = column_sum(values)
    assert torch.equal(result, column_sum(values))
    torch.testing.assert_close(result.double(), values.double().sum(0), rtol=1e-5, atol=1e-3)


@runs_kernels
@pytest.mark.parametrize('autocast, with_bias, dtype', [
    (False, True, torch.float32), (True, False, torch.float32), (True, True, torch.bfloat16),
    (False, False, torch.bfloat16)])
def test_linear(autocast, with_bias, dtype):
    """Autocast is to a third dtype, which no product may use."""
    from m2ae_mm.ops.linear.gpu import Linear
    x = _normal(37, 24).to(dtype).requires_grad_()
    weight, bias = (_normal(96, 24) / 5).requires_grad_(), _normal(96).requires_grad_() if with_bias else None
    grad = _normal(37, 96).to(dtype)
    leaves = [value for value in (x, weight, bias) if value is not None]
    # The product gets weights in the compute dtype; gradients pass through the cast.
    doubles = [value.detach().to(dtype).double().requires_grad_() for value in leaves]
    other = torch.float16 if dtype == torch.bfloat16 else torch.bfloat16
    with torch.autocast(DEVICE, other, enabled=autocast):
        y = Linear.apply(x, weight, bias)
        y.backward(grad)
    expected = F.linear(*doubles)
    expected.backward(grad.double())
    assert y.dtype == dtype
    for actual, wanted in zip([y, *(leaf.grad for leaf in leaves)], [expected, *(double.grad for double in doubles)]):
        bound = 1e-6 if dtype == torch.float32 else 2**-8  # half a unit in the last place
        assert (actual.double() - wanted).norm() <= bound * wanted.norm()
    assert [leaf.grad.dtype for leaf in leaves] == [leaf.dtype for leaf in leaves]


@runs_kernels
@pytest.mark.parametrize('needed', ['x', 'weight', 'bias'])
def test_one_gradient_needed(needed, monkeypatch):
    from m2ae_mm.ops.linear import gpu
    leaves = {'x': _normal(5, 24), 'weight': _normal(8, 24), 'bias': _normal(8)}
    leaves[needed].requires_grad_()
    if needed != 'bias':
        monkeypatch.setattr(gpu, 'column_sum', None)
    y = gpu.Linear.apply(*leaves.values())
    expected, = torch.autograd.grad(F.linear(*leaves.values()).sin().sum(), leaves[needed])
    y.sin().sum().backward()
    torch.testing.assert_close(leaves[needed].grad, expected, rtol=1e-5, atol=1e-5)
    assert all(value.grad is None for name, value in leaves.items() if name != needed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('rows', [0, 8191])
def test_weight_gradient_is_not_rounded(rows):
    from m2ae_mm.ops.linear import gpu
    x, d_y = _normal(rows, 96).bfloat16(), _normal(rows, 384).bfloat16()
    result = gpu._product(d_y.T, x, torch.float32)
    assert result.dtype == torch.float32
    if gpu._FLOAT32_PRODUCTS:
        torch.testing.assert_close(result.double(), d_y.T.double() @ x.double(), rtol=1e-4, atol=1e-3)


def _results(layer, x, weight=None):
    """Output and gradients."""
    from m2ae_mm.ops.linear.gpu import Linear
    y = Linear.apply(x, layer.weight if weight is None else weight, layer.bias)
    return y, *torch.autograd.grad(y.float().sin().sum(), (layer.weight, layer.bias))


@runs_kernels
def test_half_copies():
    """Same bits as without; of parameters only, in the dtype asked for only, in the context only."""
    from m2ae_mm.ops.linear import gpu
    layer = nn.Linear(24, 8).to(DEVICE)
    x = _normal(5, 24).bfloat16()
    expected = _results(layer, x)
    with gpu.half_copies(nn.Sequential(layer), torch.bfloat16):
        y = gpu.Linear.apply(x, layer.weight, layer.bias)
        with torch.no_grad():  # changes what is not copied
            layer.weight.zero_()
        within = _results(layer, x), _results(layer, x, layer.weight + 0), _results(layer, x.half())
    assert all(map(torch.equal, within[0], expected))
    assert all(torch.equal(result[0], layer.bias.to(result[0].dtype).expand(5, 8)) for result in within[1:])
    assert all(map(torch.equal, torch.autograd.grad(y.float().sin().sum(), (layer.weight, layer.bias)), expected[1:]))
    assert torch.equal(_results(layer, x)[0], within[1][0])
    assert not gpu._copies


@runs_kernels
def test_half_copies_nested():
    """The inner context copies what the outer did not; float32 copies nothing; exceptions end both."""
    from m2ae_mm.ops.linear import gpu
    inner, outer = nn.Linear(3, 4), nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4).double())
    outer.append(inner)
    with gpu.half_copies(outer, torch.bfloat16):
        first = dict(gpu._copies)
        assert len(first) == 4  # of three layers, one is not float32
        with gpu.half_copies(inner, torch.bfloat16), gpu.half_copies(outer, torch.float32):
            assert gpu._copies.keys() == first.keys()
            assert all(gpu._copies[key] is copy for key, copy in first.items())
        with pytest.raises(RuntimeError, match='stop'), gpu.half_copies(inner, torch.float16):
            assert len(gpu._copies) == 6
            raise RuntimeError('stop')
        assert gpu._copies.keys() == first.keys()
    assert not gpu._copies


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_half_copies_in_a_graph():
    """A replay copies the parameters as they are then."""
    from m2ae_mm.ops.linear import gpu
    layer, x = nn.Linear(24, 8).to(DEVICE), _normal(5, 24).bfloat16()
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad():
        gpu.Linear.apply(x, layer.weight, layer.bias)  # cuBLAS sets up its workspace
        with torch.cuda.graph(graph), gpu.half_copies(layer, torch.bfloat16):
            y = gpu.Linear.apply(x, layer.weight, layer.bias)
        layer.weight.mul_(2)
        graph.replay()
        assert torch.equal(y, gpu.Linear.apply(x, layer.weight, layer.bias))
