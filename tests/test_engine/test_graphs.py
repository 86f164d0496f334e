"""CUDA graphs give what the calls give that they replace; without a GPU calls go on as they are.

All but the recording itself is also tested on a CPU, with recordings that call the function again.
"""
import contextlib
import copy
import pickle
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from m2ae_mm.engine import graphs
from m2ae_mm.engine.graphs import Graphed
from m2ae_mm.ops import dispatch, use_reference

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


class _Replays:
    """Stands in for ``CUDAGraph``."""

    def __init__(self, replay):
        self.replay = replay


def _record_by_calling(function, module, leaves, structure, pool):
    """Stands in for ``_record``: the same places are read and written, by another call of the function."""
    leaves = [leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    inputs = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    trained = [weight for weight in module.parameters() if weight.requires_grad and torch.is_grad_enabled()]
    latest = []

    def call():
        with torch.set_grad_enabled(bool(trained)):
            latest[:] = [graphs.tree_flatten(function(*graphs.tree_unflatten(leaves, structure)))]

    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    call()
    for buffer, before in buffers:
        buffer.copy_(before)
    outputs, shape = latest[0]
    recording = graphs._Recording(inputs, None, [output.detach().clone() for output in outputs], shape)

    def forward():
        call()
        for own, output in zip(recording.outputs, latest[0][0]):
            own.copy_(output.detach())

    def backward():
        found = graphs._differentiate(latest[0][0], trained, recording.output_gradients)
        recording.takes_part = [each is not None for each in found]
        recording.shapes = [torch.empty_like(each, device='meta') for each in found if each is not None]
        recording.gradients = torch.cat([each.flatten() for each in found if each is not None])

    recording.forward = _Replays(forward)
    if trained:
        recording.output_gradients = [torch.zeros_like(output) for output in outputs]
        recording.backward = _Replays(backward)
    return recording


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=needs_gpu)])
def device(request, monkeypatch):
    """A CUDA device, or a CPU where graphs are played."""
    if request.param == 'cpu':
        monkeypatch.setattr(dispatch, 'graphs_allowed', lambda _: dispatch._switch == 'auto')
        monkeypatch.setattr(graphs, '_record', _record_by_calling)
        for name, value in (('current_device', None), ('is_current_stream_capturing', False),
                            ('graph_pool_handle', None), ('empty_cache', None)):
            monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    return request.param


def _model(device):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).to(device)


def _outputs(model, data, scale=1.):
    hidden = model(data['x'])
    return dict(loss=scale * hidden.square().mean(), largest=hidden.argmax(1))


def _batch(device, rows=16):
    return dict(x=torch.randn(rows, 4, generator=torch.Generator().manual_seed(rows)).to(device))


def test_other_devices_call_the_function():
    model, graphed = _model('cpu'), Graphed(_outputs)
    for _ in range(5):
        assert torch.equal(graphed(model, _batch('cpu'))['loss'], _outputs(model, _batch('cpu'))['loss'])
    assert not graphed._recordings


def test_copies_start_without_graphs():
    graphed = Graphed(_outputs)
    graphed._recordings['key'] = None
    for other in (copy.deepcopy(graphed), pickle.loads(pickle.dumps(graphed))):
        assert not other._recordings
        assert other._function is _outputs


def _train(graphed, device, steps, accumulate=1):
    """Losses, classes, parameters and running statistics of a short training."""
    model = _model(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    for _ in range(steps):
        for part in range(accumulate):
            outputs = graphed(model, _batch(device, 16 + part), 1 / accumulate)
            outputs['loss'].backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append((outputs['loss'].item(), outputs['largest'].tolist()))
    return seen, [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]


@pytest.mark.parametrize('accumulate', [1, 2])
def test_training_is_the_same(device, accumulate):
    """Also where gradients add up over several calls, of one shape or of two."""
    graphed = Graphed(_outputs)
    ours, state = _train(graphed, device, 8, accumulate)
    theirs, expected = _train(_outputs, device, 8, accumulate)
    assert len(graphed._recordings) == accumulate
    for (loss, classes), (expected_loss, expected_classes) in zip(ours, theirs):
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        assert classes == expected_classes
    for one, other in zip(state, expected):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_gradients_add_up_over_calls_of_one_shape(device):
    graphed, model = Graphed(_outputs), _model(device)
    for _ in range(3):
        graphed(model, _batch(device))['loss'].backward()
        model.zero_grad()
    graphed(model, _batch(device))['loss'].backward()
    once = [weight.grad.clone() for weight in model.parameters()]
    graphed(model, _batch(device))['loss'].backward()
    for weight, gradient in zip(model.parameters(), once):
        torch.testing.assert_close(weight.grad, 2 * gradient, rtol=1e-4, atol=1e-7)


def test_two_calls_before_a_backward_pass_do_not_overwrite_each_other(device):
    graphed, model = Graphed(_outputs), _model(device).eval()
    for _ in range(3):
        graphed(model, _batch(device))['loss'].backward()
        model.zero_grad()
    first, second = graphed(model, _batch(device)), graphed(model, dict(x=5 * _batch(device)['x']))
    first['loss'].backward()
    ours = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    _outputs(model, _batch(device))['loss'].backward()
    for gradient, weight in zip(ours, model.parameters()):
        torch.testing.assert_close(gradient, weight.grad)
    assert second['loss'] > first['loss']


def test_keys_and_moved_weights(device):
    """Modes, precision and the device's reference are told apart; new places of weights start anew."""
    graphed, model = Graphed(_outputs), _model(device)
    for _ in range(4):
        graphed(model, _batch(device))
        graphed(model.eval(), _batch(device))
        model.train()
        with torch.no_grad():
            graphed(model, _batch(device))
    assert len(graphed._recordings) == 3
    with use_reference():
        assert torch.equal(graphed(model.eval(), _batch(device))['largest'],
                           _outputs(model, _batch(device))['largest'])
    for weight in model.parameters():
        weight.data = weight.data.clone() + 1
    torch.testing.assert_close(graphed(model, _batch(device))['loss'], _outputs(model, _batch(device))['loss'])
    assert not graphed._recordings


class _Autocast(torch.autograd.Function):
    """Whether the backward pass runs under autocast, for a list."""

    @staticmethod
    def forward(ctx, x, seen):
        ctx.seen, ctx.device = seen, x.device.type
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.seen.append(torch.is_autocast_enabled(ctx.device))
        return gradient, None


class _Parts(nn.Module):
    """Frozen, unused and shared parameters."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.unused = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(1, 1)
        self.second.weight = self.first.weight
        self.second.bias.requires_grad_(False)


@contextlib.contextmanager
def _runs(*_, **__):
    """Stands in for a stream or a recording that is taken: what is within simply runs."""
    yield


def test_recording(monkeypatch):
    """Its backward passes are those of a training, outside autocast; parameters are whole again afterwards."""
    stream = SimpleNamespace(wait_stream=lambda _: None)
    for name, value in dict(Stream=lambda *_: stream, current_stream=lambda: stream, stream=_runs, graph=_runs,
                            CUDAGraph=object, empty_cache=lambda: None, current_device=lambda: 0).items():
        monkeypatch.setattr(torch.cuda, name, value)
    cast = torch.autocast
    monkeypatch.setattr(torch, 'autocast', lambda _, *arguments, **options: cast('cpu', *arguments, **options))
    for name in ('is_autocast_enabled', 'get_autocast_dtype'):
        monkeypatch.setattr(torch, name, partial(lambda function, _: function('cpu'), getattr(torch, name)))
    graphs._stream.cache_clear()
    torch.manual_seed(0)
    model, seen, x = _Parts(), [], torch.randn(3, 4)

    def function(x):
        hidden = model.second(model.first(x))
        assert hidden.dtype == torch.bfloat16
        return _Autocast.apply(hidden, seen).float().square().sum()

    with cast('cpu', torch.bfloat16):
        recording = graphs._record(function, model, [x], graphs.tree_flatten((x, ))[1], None)
    assert seen == [False] * 3  # two to warm up and the recording
    names = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert dict(zip(names, recording.takes_part)) == {
        'first.weight': True, 'first.bias': True, 'unused.weight': False, 'unused.bias': False}
    assert all(isinstance(weight, nn.Parameter) for weight in model.parameters())
    assert model.second.weight is model.first.weight
    graphs._stream.cache_clear()


def test_shares_of_dropout_are_told_apart():
    class Attention(nn.Module):
        dropout = 0.1

    class Path(nn.Module):
        drop_prob = 0.1

    model = nn.Sequential(nn.Dropout(0.1), Attention(), Path())
    state = Graphed(_outputs).state
    states = [state(model)]
    for module, name in ((model[0], 'p'), (model[1], 'dropout'), (model[2], 'drop_prob')):
        setattr(module, name, 0.2)
        states.append(state(model))
    assert len(set(states)) == 4
    model[1].dropout = nn.Dropout(0.3)  # a module, which speaks for itself
    assert 0.3 in [each for part in state(model)[:1] for each in part]


def test_hooks_are_called_and_other_modules_recorded_anew(device):
    graphed, model = Graphed(_outputs), _model(device).eval()
    for _ in range(3):
        graphed(model, _batch(device))
    assert len(graphed._recordings) == 1
    model[2] = nn.Tanh()
    torch.testing.assert_close(graphed(model, _batch(device))['loss'], _outputs(model, _batch(device))['loss'])
    model[2].register_forward_hook(lambda module, _, output: 2 * output)
    for _ in range(4):
        torch.testing.assert_close(graphed(model, _batch(device))['loss'], _outputs(model, _batch(device))['loss'])
    assert len(graphed._recordings) == 1


@needs_gpu
@pytest.mark.parametrize('precision', [torch.float32, torch.bfloat16])
def test_dropout_is_drawn_anew_and_autocast_is_that_of_a_training(precision):
    """The backward pass has the mask of its forward pass; gradients are those of a call outside a graph."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.5)).cuda()
    x = torch.randn(8, 64, device='cuda')
    graphed = Graphed(lambda module, x: module(x))
    seen = set()
    for _ in range(8):
        with torch.autocast('cuda', torch.bfloat16, precision == torch.bfloat16):
            y = graphed(model, x)
        y.float().sum().backward()
        kept = y != 0
        seen.add(tuple(kept.flatten().tolist()))
        torch.testing.assert_close(model[0].bias.grad, 2. * kept.sum(0), rtol=0, atol=1e-6)
        torch.testing.assert_close(model[0].weight.grad, 2. * kept.float().T @ x, rtol=2e-2, atol=5e-2)
        model.zero_grad()
    assert len(graphed._recordings) == 1 and len(seen) == 8


@needs_gpu
def test_what_cannot_be_recorded_goes_on_as_it_is():
    def reads_back(model, x):
        return model(x) * float(x.sum())

    graphed, model = Graphed(reads_back), _model('cuda').eval()
    x, stream = _batch('cuda')['x'], torch.cuda.current_stream()
    with torch.no_grad():
        for i in range(4):
            if i == 2:
                with pytest.warns(UserWarning, match='no CUDA graph'):
                    result = graphed(model, x)
            else:
                result = graphed(model, x)
            torch.testing.assert_close(result, reads_back(model, x))
            assert torch.cuda.current_stream() == stream


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason='needs two GPUs')
def test_a_second_device():
    graphed, model = [Graphed(_outputs), Graphed(_outputs)], [_model('cuda:0'), _model('cuda:1')]
    for step in range(6):
        for device in (0, 1):
            with torch.cuda.device(device), torch.no_grad():
                batch = dict(x=_batch(f'cuda:{device}')['x'] + step)
                ours = graphed[device](model[device].eval(), batch)['loss']
                torch.testing.assert_close(ours, _outputs(model[device], batch)['loss'])
    assert [len(each._recordings) for each in graphed] == [1, 1]


def test_inputs_that_want_a_gradient_get_it(device):
    graphed, model = Graphed(_outputs), _model(device).eval()
    for _ in range(4):
        x = _batch(device)['x'].requires_grad_()
        graphed(model, dict(x=x))['loss'].backward()
        assert x.grad is not None
    assert not graphed._recordings


def test_a_second_backward_pass_is_refused(device):
    graphed, model = Graphed(_outputs), _model(device)
    for _ in range(3):
        loss = graphed(model, _batch(device))['loss']
        loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match='one backward pass .* M2AE_OPS=kernels'):
        loss.backward()


def test_momenta_and_inference_mode_are_told_apart(device):
    graphed, model = Graphed(_outputs), _model(device)
    with torch.inference_mode():
        for _ in range(3):
            graphed(model, _batch(device))
    with torch.no_grad():
        for _ in range(3):
            graphed(model, _batch(device))
        model[1].momentum = 1.
        for _ in range(3):
            graphed(model, _batch(device))
    assert len(graphed._recordings) == 3
    expected = model[0](_batch(device)['x']).mean(0)
    torch.testing.assert_close(model[1].running_mean, expected.detach(), rtol=1e-5, atol=1e-6)
