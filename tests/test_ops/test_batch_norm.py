"""BatchNorm of groups against PyTorch on the real rows."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import DEVICE, compile_kernel, compiles_kernels, runs_kernels

gpu = pytest.importorskip('m2ae_mm.ops.batch_norm.gpu')

EPS = 1e-5


@compiles_kernels
@pytest.mark.parametrize('shared, dtype', [(False, 'fp32'), (True, 'bf16'), (True, 'fp16')])
def test_kernels_compile_without_a_gpu(shared, dtype):
    """Arguments equal to 1 become constants."""
    types = dict(count='*i64', groups='i32', programs='i32', channels='i32', eps='fp32')
    types |= dict.fromkeys(('x', 'shared', 'y', 'd_y', 'd_x', 'd_shared'), f'*{dtype}')
    constants = {**gpu._tile(3, 24, shared), **({} if shared else dict(shared=None, d_shared=None)),
                 **(dict(groups=1, programs=1) if dtype == 'bf16' else {})}
    for name in ('_statistics', '_normalize', '_sum_gradients', '_differentiate', '_merge_statistics'):
        merged = dict(ROWS=4, COLUMNS=8) if name == '_merge_statistics' else {}
        compiled = compile_kernel(getattr(gpu, name), types, {**constants, **merged}, rest='*fp32', **gpu._OPTIONS)
        assert 'fma.rn.f32' not in compiled.asm['ptx']


def _inputs(groups, k, channels, shared, offset=0., spread=1., seed=0):
    """x, shared, weight, bias and the gradient of y, on a grid that bfloat16 holds where ``offset`` is 0."""
    generator = torch.Generator().manual_seed(seed)
    x, d_y = (torch.randn(groups * k, channels, generator=generator).bfloat16().float() for _ in range(2))
    vectors = torch.randn(groups, channels, generator=generator).bfloat16().float() if shared else None
    weight = torch.rand(channels, generator=generator) + 0.5
    weight[::5] *= -1
    bias = torch.randn(channels, generator=generator)
    values = offset + spread * x, vectors, weight, bias, d_y
    return [None if value is None else value.to(DEVICE) for value in values]


def _kernels(x, shared, k, count, weight, bias, d_y):
    """y, mean, variance and the gradients of x, weight, bias and, where there is one, shared."""
    leaves = [leaf.detach().requires_grad_() for leaf in (x, weight, bias, shared) if leaf is not None]
    x, weight, bias, shared = (*leaves, None)[:4]
    y, mean, variance = gpu.BatchNormReLU.apply(x, shared, k, torch.tensor([count], device=DEVICE), weight, bias, EPS)
    assert not mean.requires_grad and not variance.requires_grad
    return y.detach(), mean, variance, *torch.autograd.grad(y, leaves, d_y)


def _pytorch(x, shared, k, count, weight, bias, d_y):
    """The same in float64; 0 in the padding."""
    rows = count * k
    leaves = [leaf.detach().double().requires_grad_() for leaf in (x, weight, bias, shared) if leaf is not None]
    x, weight, bias, shared = (*leaves, None)[:4]
    z = x[:rows] if shared is None else x[:rows] + shared[:count].repeat_interleave(k, 0)
    y = F.relu(F.batch_norm(z, None, None, weight, bias, training=True, eps=EPS))
    gradients = torch.autograd.grad(y, leaves, d_y[:rows].double())
    y = F.pad(y.detach(), (0, 0, 0, len(x) - rows))
    return y, z.detach().mean(0), z.detach().var(0), *gradients


def _error(result, expected):
    return float((result.double() - expected).norm() / expected.norm())


@runs_kernels
@pytest.mark.parametrize('groups, k, channels, shared', [
    (3, 1, 5, True), (45, 3, 24, False), (33, 8, 96, True), (3, 70, 24, False)])
def test_values_statistics_and_gradients(groups, k, channels, shared):
    x, vectors, weight, bias, d_y = _inputs(groups, k, channels, shared)
    results = _kernels(x, vectors, k, groups, weight, bias, d_y)
    for result, expected in zip(results, _pytorch(x, vectors, k, groups, weight, bias, d_y), strict=True):
        assert result.dtype == torch.float32 and _error(result, expected) < 1e-5


@runs_kernels
@pytest.mark.parametrize('count, shared', [(2, True), (30, False)])
def test_padding_is_zero_whatever_it_holds(count, shared):
    x, vectors, weight, bias, d_y = _inputs(45, 3, 24, shared)
    expected = _pytorch(x, vectors, 3, count, weight, bias, d_y)
    for padded, rows in ((x, 3), (d_y, 3), (vectors, 1)):
        if padded is not None:
            padded[count * rows:] = float('nan')
            padded[count * rows::2] = float('inf')
    results = _kernels(x, vectors, 3, count, weight, bias, d_y)
    for result, exact in zip(results, expected, strict=True):
        assert _error(result, exact) < 1e-5
    y, d_x = results[0], results[3]
    assert not y[count * 3:].any() and not d_x[count * 3:].any()
    assert not shared or not results[6][count:].any()


@runs_kernels
def test_no_real_groups():
    x, vectors, *rest = _inputs(5, 3, 24, True)
    results = _kernels(x, vectors, 3, 0, *rest)
    assert not any(result.any() for result in results)


@runs_kernels
@pytest.mark.parametrize('shared, dtype', [(True, torch.bfloat16), (False, torch.float16)])
def test_half_precision(shared, dtype):
    """Only the results are rounded: the float32 results of the same values are half a unit away."""
    x, vectors, weight, bias, d_y = _inputs(17, 8, 96, shared)
    halves = [value if value is None else value.to(dtype) for value in (x, vectors, d_y)]
    results = _kernels(halves[0], halves[1], 8, 15, weight, bias, halves[2])
    exact = _pytorch(halves[0], halves[1], 8, 15, weight, bias, halves[2])
    for result, expected in zip(results, exact, strict=True):
        assert _error(result, expected) < (torch.finfo(dtype).eps / 2 if result.dtype == dtype else 1e-5)
    full = torch.float32
    assert [result.dtype for result in results] == [dtype, full, full, dtype, full, full, *[dtype] * shared]


@runs_kernels
@pytest.mark.parametrize('programs', [1000, 3])
def test_a_large_mean_does_not_cancel(programs, monkeypatch):
    """float32 has 1000 in steps of 6e-5; the squares of such values have steps of 0.06, six times the variance."""
    monkeypatch.setattr(gpu, '_PROGRAMS', programs)  # few programs: several tiles each
    monkeypatch.setattr(gpu, '_GROUPS', 4)
    x, _, weight, bias, d_y = _inputs(70, 3, 24, False, offset=1000., spread=0.1)
    bias += 20  # no value so close to 0 that the rounding of the mean decides its sign
    y, mean, variance, *gradients = _kernels(x, None, 3, 66, weight, bias, d_y)
    expected = _pytorch(x, None, 3, 66, weight, bias, d_y)
    assert (mean - expected[1]).abs().max() < 1e-4 and _error(variance, expected[2]) < 1e-4
    assert (y - expected[0]).abs().max() < 1e-3
    for result, exact in zip(gradients, expected[3:], strict=True):
        assert _error(result, exact) < 1e-3


@runs_kernels
def test_twice_the_same_and_a_result_that_is_not_a_number_is_kept():
    x, vectors, weight, bias, d_y = _inputs(33, 8, 24, True)
    first, second = (_kernels(x, vectors, 8, 30, weight, bias, d_y) for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    x[0, 3] = float('nan')
    y = _kernels(x, vectors, 8, 30, weight, bias, d_y)[0]
    assert y[:240, 3].isnan().all() and not y[:, :3].isnan().any()


@runs_kernels
def test_exactly_zero_behind_the_norm_has_no_gradient():
    """The middle one of -1, 0 and 1 is the mean."""
    x, d_y = (torch.tensor(values, device=DEVICE).view(3, 1) for values in ([-1., 0, 1], [0., 5, 0]))
    _, _, _, *gradients = _kernels(x, None, 1, 3, torch.ones(1, device=DEVICE), torch.zeros(1, device=DEVICE), d_y)
    assert not any(gradient.any() for gradient in gradients)
