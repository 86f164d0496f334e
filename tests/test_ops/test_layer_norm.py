"""LayerNorm with the residual add before it against PyTorch."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import DEVICE, assert_rounded_once, compile_kernel, compiles_kernels, runs_kernels

gpu = pytest.importorskip('m2ae_mm.ops.layer_norm.gpu')

EPS = 1e-5


@pytest.fixture(autouse=True)
def _small_tiles(request, monkeypatch):
    """Several tiles per program, several programs and rows beyond the last, of tensors this small."""
    if 'compile' not in request.node.name and 'many_rows' not in request.node.name:
        monkeypatch.setattr(gpu, '_FORWARD_TILE', 512)
        monkeypatch.setattr(gpu, '_BACKWARD_TILE', 512)
        monkeypatch.setattr(gpu, '_PROGRAMS', 3)


def _inputs(rows, channels, dtype, with_factor=True, with_bias=True, with_position=True):
    """Arguments of ``AddLayerNorm`` but ``eps`` and two upstream gradients; row means far from 0."""
    generator = torch.Generator().manual_seed(channels)

    def normal(*shape):
        return torch.randn(*shape, generator=generator).to(DEVICE)

    x = (normal(rows, channels) + 3).to(dtype).requires_grad_()
    delta = normal(rows, channels).to(dtype).requires_grad_()
    delta_bias = normal(channels).requires_grad_() if with_bias else None
    factor = (normal(rows) > 0).float() / 0.75 if with_factor else None
    weight, bias = (1 + normal(channels) / 4).requires_grad_(), normal(channels).requires_grad_()
    grads = normal(rows, channels).to(dtype), normal(rows, channels).to(dtype)
    position = normal(rows, channels).to(dtype).requires_grad_() if with_position else None
    return (x, position, delta, delta_bias, factor, weight, bias), grads


def _doubles(inputs):
    return [None if value is None else value.detach().double().requires_grad_(value.requires_grad)
            for value in inputs]


def _expected(x, position, delta, delta_bias, factor, weight, bias, total=None):
    """Total and normed by PyTorch; ``total`` gives rounded values, gradients pass through it."""
    exact = x if position is None else x + position
    if delta is not None:
        added = delta if delta_bias is None else delta + delta_bias
        exact = exact + (added if factor is None else factor[:, None] * added)
    if total is not None:
        exact = exact + (total.detach().double() - exact).detach()
    return exact, None if weight is None else F.layer_norm(exact, (x.shape[1], ), weight, bias, EPS)


def _compare_gradients(inputs, doubles):
    for value, double in zip(inputs, doubles):
        if double is not None and double.requires_grad:
            assert (value.grad is None) == (double.grad is None)
            if value.grad is not None:
                assert value.grad.dtype == value.dtype
                assert_rounded_once(value.grad, double.grad)


@compiles_kernels
@pytest.mark.parametrize('dtype, capability, absent', [
    ('fp32', 80, ()),
    ('bf16', 90, ('position', 'delta_bias', 'factor', 'd_total', 'd_position', 'd_sum', 'd_delta')),
    ('fp16', 80, ('weight', 'bias', 'total', 'normed', 'mean', 'rstd', 'd_normed', 'd_x')),
])
def test_kernels_compile_without_a_gpu(dtype, absent, capability):
    """Arguments that are None become constants."""
    types = dict.fromkeys(('delta_bias', 'factor', 'weight', 'bias', 'mean', 'rstd', 'partial'), '*fp32')
    types.update(rows='i32', eps='fp32')
    sums = 2 * ('d_normed' not in absent) + ('delta_bias' not in absent)
    for kernel in (gpu._forward, gpu._backward):
        constants = dict(CHANNELS=96, ROWS=4, BLOCK=128, SUMS=sums, **dict.fromkeys(absent))
        if kernel is gpu._forward:
            constants.pop('total', None)  # which it always writes
        ptx = compile_kernel(kernel, types, constants, f'*{dtype}', capability, num_warps=4).asm['ptx']
        assert 'atom.global' not in ptx and 'red.global' not in ptx


@runs_kernels
@pytest.mark.parametrize('rows, channels, with_position, with_bias, with_factor, dtype', [
    (37, 96, True, True, True, torch.float32), (37, 96, False, False, True, torch.bfloat16),
    (37, 96, True, False, False, torch.float16), (53, 24, False, True, False, torch.float32),
    (53, 24, True, True, True, torch.bfloat16), (53, 24, False, False, False, torch.float16)])
def test_add_layer_norm(rows, channels, with_position, with_bias, with_factor, dtype):
    inputs, grads = _inputs(rows, channels, dtype, with_factor, with_bias, with_position)
    total, normed, _ = gpu.AddLayerNorm.apply(*inputs, EPS)
    assert total.dtype == normed.dtype == dtype
    torch.autograd.backward((total, normed), grads)
    doubles = _doubles(inputs)
    expected = _expected(*doubles, total)
    assert_rounded_once(total, _expected(*doubles)[0])
    assert_rounded_once(normed, expected[1])
    torch.autograd.backward(expected, [grad.double() for grad in grads])
    _compare_gradients(inputs, doubles)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('rows', 'channels'), [(38501, 96), (11701, 192), (8193, 384)])
def test_many_rows(rows, channels):
    """Tiles, programs and vectors of real use; gradients repeat bit by bit."""
    inputs, grads = _inputs(rows, channels, torch.bfloat16)
    leaves = [value for value in inputs if value is not None and value.requires_grad]
    results = gpu.AddLayerNorm.apply(*inputs, EPS)[:2]
    first = torch.autograd.grad(results, leaves, grads, retain_graph=True)
    assert all(map(torch.equal, first, torch.autograd.grad(results, leaves, grads)))
    doubles = _doubles(inputs)
    expected = _expected(*doubles, results[0])
    wanted = torch.autograd.grad(expected, [value for value in doubles if value is not None and value.requires_grad],
                                 [grad.double() for grad in grads])
    for actual, value in zip([results[1], *first], [expected[1], *wanted]):
        bound = 1e-5 if actual.dtype == torch.float32 else 2**-8
        assert (actual.double() - value).norm() <= bound * value.norm()


@runs_kernels
@pytest.mark.parametrize('used, with_factor', [(0, True), (1, False)])
def test_one_result_used(used, with_factor):
    """Also with an upstream gradient that is not contiguous."""
    inputs, _ = _inputs(21, 24, torch.float32, with_factor)
    doubles = _doubles(inputs)
    scales = torch.randn(24, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    (gpu.AddLayerNorm.apply(*inputs, EPS)[used].sum(0) * scales).sum().backward()
    (_expected(*doubles)[used].sum(0) * scales.double()).sum().backward()
    _compare_gradients(inputs, doubles)


@runs_kernels
@pytest.mark.parametrize('absent, with_factor, dtype', [
    ((), True, torch.bfloat16), ((3, ), True, torch.float32), ((2, 3), False, torch.bfloat16),
    ((1, 2, 3), False, torch.float32), ((1, ), False, torch.float32)])
def test_nothing_to_normalise(absent, with_factor, dtype):
    """Only sums, of what there is: position (1), delta (2) and its bias (3)."""
    inputs, grads = _inputs(21, 24, dtype, with_factor and 2 not in absent)
    inputs = [None if i in (*absent, 5, 6) else value for i, value in enumerate(inputs)]
    total, normed, _ = gpu.AddLayerNorm.apply(*inputs, EPS)
    assert normed is None
    total.backward(grads[0])
    doubles = _doubles(inputs)
    expected = _expected(*doubles)[0]
    assert_rounded_once(total, expected)
    expected.backward(grads[0].double())
    _compare_gradients(inputs, doubles)


@runs_kernels
@pytest.mark.parametrize('normalised', [False, True])
def test_a_position_added_again_and_again(normalised):
    """Its gradient is summed from use to use, wherever it is used."""
    inputs, grads = _inputs(21, 24, torch.float32)
    inputs = inputs if normalised else (*inputs[:5], None, None)
    doubles = _doubles(inputs)
    (ours, ours_again), (theirs, own) = inputs[:2], doubles[:2]
    for _ in range(3):
        ours, normed, ours_again = gpu.AddLayerNorm.apply(ours, ours_again, *inputs[2:], EPS)
        theirs, expected = _expected(theirs, own, *doubles[2:])
        if normalised:
            ours, theirs = ours + normed.tanh(), theirs + expected.tanh()
    (ours + 2 * ours_again).backward(grads[0])
    (theirs + 2 * own).backward(grads[0].double())
    _compare_gradients(inputs, doubles)


@runs_kernels
def test_no_rows():
    inputs, grads = _inputs(0, 24, torch.float32)
    results = gpu.AddLayerNorm.apply(*inputs, EPS)[:2]
    torch.autograd.backward(results, grads)
    assert [tuple(value.shape) for value in results] == [(0, 24)] * 2
    assert all(inputs[i].grad.abs().sum() == 0 for i in (3, 5, 6))
