"""Bias and GELU against PyTorch."""
import pytest
import torch
import torch.nn.functional as F
from interpreted import DEVICE, assert_rounded_once, compile_kernel, compiles_kernels, runs_kernels

gpu = pytest.importorskip('m2ae_mm.ops.gelu.gpu')


def _inputs(rows, columns, dtype):
    """Leaves ``x`` and ``bias``, and an upstream gradient; values far into both tails."""
    generator = torch.Generator().manual_seed(columns)
    x, bias, grad = (torch.randn(*shape, generator=generator).to(DEVICE)
                     for shape in ((rows, columns), (columns, ), (rows, columns)))
    return (3 * x).to(dtype).requires_grad_(), bias.requires_grad_(), grad.to(dtype)


def _expected(x, bias, grad):
    """Result and gradients in float64."""
    x, bias = (value.detach().double().requires_grad_() for value in (x, bias))
    y = F.gelu(x + bias)
    return y, *torch.autograd.grad(y, (x, bias), grad.double())


@compiles_kernels
@pytest.mark.parametrize('dtype, capability', [('fp32', 80), ('bf16', 90), ('fp16', 80)])
def test_kernels_compile_without_a_gpu(dtype, capability):
    """Half precision moves 16 bytes at a time."""
    types, constants = dict(bias='*fp32', partial='*fp32', rows='i32'), dict(CHANNELS=384, ROWS=16, COLUMNS=128)
    for kernel in (gpu._forward, gpu._backward):
        compiled = compile_kernel(kernel, types, constants, f'*{dtype}', capability, aligned=True, num_warps=4)
        ptx = compiled.asm['ptx']
        assert 'atom.global' not in ptx and 'red.global' not in ptx
        assert 'ld.global.v4.b32' in ptx and 'st.global.v4.b32' in ptx


@runs_kernels
@pytest.mark.parametrize('rows, columns, dtype', [
    (1, 7, torch.float32), (70, 96, torch.bfloat16), (45, 130, torch.float16), (45, 130, torch.float32)])
def test_bias_gelu(rows, columns, dtype, monkeypatch):
    """Several tiles per program and several programs, rows and columns beyond the last."""
    monkeypatch.setattr(gpu, '_PROGRAMS', 4)
    x, bias, grad = _inputs(rows, columns, dtype)
    y = gpu.BiasGelu.apply(x, bias)
    assert y.dtype == dtype
    actual = y, *torch.autograd.grad(y, (x, bias), grad)
    for value, wanted in zip(actual, _expected(x, bias, grad)):
        assert_rounded_once(value, wanted)


@runs_kernels
def test_not_contiguous():
    x, bias, grad = _inputs(24, 10, torch.float32)
    y = gpu.BiasGelu.apply(x.T.contiguous().T, bias)
    actual = y, *torch.autograd.grad(y, (x, bias), grad[:1].expand(24, 10))
    for value, wanted in zip(actual, _expected(x, bias, grad[:1].expand(24, 10))):
        assert_rounded_once(value, wanted)


@runs_kernels
def test_tails():
    """Far out the GELU is 0 or ``x``, and nothing overflows."""
    x = torch.tensor([[-1e30, -40., -0., 40., 1e18]], device=DEVICE, requires_grad=True)
    y = gpu.BiasGelu.apply(x, torch.zeros(5, device=DEVICE))
    y.sum().backward()
    assert torch.equal(y, F.gelu(x))
    assert x.grad.tolist() == [[0., 0., 0.5, 1., 1.]]


@runs_kernels
@pytest.mark.parametrize(('rows', 'columns'), [(0, 24), (3, 0)])
def test_empty(rows, columns):
    x, bias, grad = _inputs(rows, columns, torch.float32)
    gpu.BiasGelu.apply(x, bias).backward(grad)
    assert x.grad.shape == x.shape and bias.grad.shape == bias.shape and bias.grad.abs().sum() == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('rows', 'columns'), [(38501, 384), (11701, 768), (1701, 1536)])
def test_many_rows(rows, columns):
    """Tiles and programs of real use; gradients repeat bit by bit."""
    x, bias, grad = _inputs(rows, columns, torch.bfloat16)
    y = gpu.BiasGelu.apply(x, bias)
    gradients = torch.autograd.grad(y, (x, bias), grad, retain_graph=True)
    assert all(map(torch.equal, gradients, torch.autograd.grad(y, (x, bias), grad)))
    for value, wanted in zip((y, *gradients), _expected(x, bias, grad)):
        bound = 1e-5 if value.dtype == torch.float32 else 2**-8
        assert (value.double() - wanted).norm() <= bound * wanted.norm()
