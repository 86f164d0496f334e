"""Point-M2AE on packed rows, with the fused kernels interpreted or on a GPU, against the modules one by one."""
import copy

import pytest
import torch
from interpreted import DEVICE, on_gpu_kernels, runs_kernels

from m2ae_mm.engine import graphs, record_graphs
from m2ae_mm.engine.recording import StepOfMasks
from m2ae_mm.models.layers import token_layers
from m2ae_mm.models.layers.packing import Rows, fixed_rows
from m2ae_mm.models.layers.transformer import DropPath
from m2ae_mm.ops import use_reference
from mmdet3d.registry import MODELS


def _model(multi_scale_masking=True, **backbone):
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='mmdet3d.PointM2AE', mask_ratio=0.6, multi_scale_masking=multi_scale_masking,
        backbone={**dict(type='mmdet3d.PointM2AEEncoder', num_centers=(24, 12, 5), num_neighbors=(4, 4, 3),
                         embed_dims=(12, 24, 24), depths=(2, 1, 1), num_heads=2, radii=None, point_hidden=(8, 12, 16),
                         drop_path_rate=0.), **backbone},
        neck=dict(type='mmdet3d.PointM2AEDecoder', encoder_dims=(12, 24, 24), embed_dims=(24, 24), depths=(1, 1),
                  num_heads=2, drop_path_rate=0.),
        head=dict(type='mmdet3d.PointM2AEPretrainHead', in_channels=24, num_points=4)))
    model.init_weights()
    return model.to(DEVICE)


def _batch(model):
    """Points, scales, masks, and sizes with rows of padding."""
    torch.manual_seed(1)
    points = torch.rand(3, 60, model.backbone.in_channels).to(DEVICE)
    scales = model.backbone.build_scales(points)
    masked = model.make_masks(scales)
    return points, scales, masked, [int((~mask).sum()) + 5 for mask in masked]


def _close(ours, theirs, tolerance=2e-5, rounding=1e-7):
    assert (ours - theirs).norm() <= tolerance * theirs.norm() + rounding


@runs_kernels
@pytest.mark.parametrize('options', [
    dict(), dict(multi_scale_masking=False), dict(radii=(0.3, 0.6, 1.2)), dict(depths=(0, 1, 1)),
    dict(stage_norm=False, in_channels=5)
])
def test_pre_training(options):
    """Loss, gradients and running statistics, with padding behind the rows."""
    model = _model(**options)
    plain = copy.deepcopy(model)
    points, scales, masked, sizes = _batch(model)
    with on_gpu_kernels(), fixed_rows(masked, sizes):
        loss = model.masked_loss(points, scales, masked)['loss_chamfer']
        loss.backward()
    with use_reference():
        expected = plain.masked_loss(points, scales, masked)['loss_chamfer']
    expected.backward()
    _close(loss, expected)
    whole = sum(parameter.grad.norm()**2 for parameter in plain.parameters() if parameter.grad is not None)**0.5
    for ours, theirs in zip(model.parameters(), plain.parameters()):
        assert (ours.grad is None) == (theirs.grad is None)  # the finest scale's norm, without a third stage
        if theirs.grad is None:
            continue
        _close(ours.grad, theirs.grad, 1e-4, rounding=2e-6 * whole)  # of a bias behind a norm nothing else is left
    for ours, theirs in zip(model.buffers(), plain.buffers()):
        _close(ours.float(), theirs.float())


@runs_kernels
def test_one_batch_after_the_other_with_rows_as_for_graphs():
    """What training and the linear probe call."""
    model = _model()
    plain = copy.deepcopy(model)
    batches = [torch.rand(3, 60, 3).to(DEVICE) for _ in range(2)]
    calls = [lambda model, points=points: model.loss(points)['loss_chamfer'] for points in batches]
    calls += [lambda model, points=points: model.extract_feat(points) for points in batches]

    def run(model):
        torch.manual_seed(3)
        return [call(model) for call in calls]

    record_graphs(model)
    with on_gpu_kernels():
        ours = run(model)
    with use_reference():
        for one, other in zip(ours, run(plain)):
            _close(one, other)
    assert not model.masked_loss.func.sizes.grown  # the margin holds both
    copied = copy.deepcopy(model).masked_loss  # of the copy, without what the original has recorded
    assert isinstance(copied.func, StepOfMasks) and copied.args[0] is not model and not copied.func.sizes._sizes


def _encode_and_differentiate(encoder, points, scales):
    """Outputs of whole clouds, gradients of the parameters, and running statistics."""
    outputs = encoder.encode(points, scales)
    towards = [torch.linspace(-1, 1, output.shape[-1], device=DEVICE) for output in outputs]
    sum((output * each).square().mean() for output, each in zip(outputs, towards)).backward()
    return outputs, [parameter.grad for parameter in encoder.parameters()], [*encoder.buffers()]


def _compare_encoders(ours, theirs):
    for one, other in zip(ours[0], theirs[0], strict=True):
        _close(one, other)
    whole = sum(gradient.norm()**2 for gradient in theirs[1])**0.5
    for one, other in zip(ours[1], theirs[1], strict=True):
        assert (one - other).norm() <= 1e-5 * whole
    for one, other in zip(ours[2], theirs[2], strict=True):
        _close(one.float(), other.float())


@runs_kernels
@pytest.mark.parametrize('batch, mode', [(1, 'train'), (3, 'eval')])
def test_whole_clouds(batch, mode):
    """What classifiers and detectors see, with local attention."""
    encoder = getattr(_model(radii=(0.3, 0.6, 1.2)).backbone, mode)()
    plain = copy.deepcopy(encoder)
    points = torch.rand(batch, 60, 3, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scales = encoder.build_scales(points)
    with on_gpu_kernels():
        ours = _encode_and_differentiate(encoder, points, scales)
    with use_reference():
        _compare_encoders(ours, _encode_and_differentiate(plain, points, scales))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_training_is_recorded_and_the_same(monkeypatch):
    points = [torch.rand(3, 60, 3, generator=torch.Generator().manual_seed(seed)).to(DEVICE) for seed in range(2)]
    curves = []
    for recorded in (True, False):
        if not recorded:
            monkeypatch.setattr(graphs, '_usable', lambda tensors: False)
        model = _model().train()
        record_graphs(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        losses = []
        for step in range(8):
            torch.manual_seed(step)
            loss = model.loss(points[step % 2])['loss_chamfer']
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        curves.append(losses)
        assert bool(model.masked_loss.func.graphed._recordings) is recorded
    # The sums of both differ in their order; eight steps let that grow to 1.1e-4.
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


@runs_kernels
@pytest.mark.parametrize('exact', [True, False])
def test_features(exact):
    model = _model().eval()
    points, scales, masked, sizes = _batch(model)
    with torch.no_grad():
        with on_gpu_kernels(), fixed_rows(*((), ()) if exact else (masked, sizes)):
            ours = model.pool_visible(points, scales, masked)
        with use_reference():
            tokens = model.backbone.encode(points, scales, masked)[-1]
    _close(ours, tokens.mean(1) + tokens.amax(1))


def test_drop_path_skips_whole_branches_of_a_cloud():
    rows, drop_path = Rows.of_all(400, 2, torch.device('cpu')), DropPath(0.5)
    torch.manual_seed(0)
    factors = drop_path.factor(rows), drop_path.factor(rows)
    for factor in factors:
        assert set(factor.tolist()) == {0., 2.}
        assert torch.equal(factor[::2], factor[1::2])
        assert 150 < int((factor[::2] > 0).sum()) < 250
    assert not torch.equal(*factors)
    assert drop_path.eval().factor(rows) is None and DropPath(0.).factor(rows) is None


def _train_layer(layer, x, towards, dtype):
    """Output, gradients and running statistics."""
    x = x.clone().requires_grad_()
    with torch.autocast(DEVICE, dtype, dtype != torch.float32):
        y = layer(x)
    assert y.dtype == dtype
    (y * towards).sum().backward()
    return y, x.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()


@runs_kernels
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 2e-5), (torch.bfloat16, 2e-2)])
def test_token_layer_in_training(dtype, tolerance):
    torch.manual_seed(0)
    layer = token_layers.TokenLayer(6, 40).to(DEVICE)
    plain = copy.deepcopy(layer)
    x, towards = torch.randn(2, 3, 35, 6).to(DEVICE), torch.randn(2, 3, 35, 40).to(DEVICE)
    with on_gpu_kernels():
        ours = _train_layer(layer, x, towards, dtype)
        with pytest.raises(ValueError, match='more than 1 value'):  # as without the kernels
            copy.deepcopy(layer)(x[:1, :1, :1])
    node = ours[0].grad_fn
    while 'View' in node.name():
        node = node.next_functions[0][0]
    assert 'BatchNormReLU' in node.name()
    with use_reference():
        for mine, theirs in zip(ours, _train_layer(plain, x, towards, dtype), strict=True):
            _close(mine.float(), theirs.float(), tolerance)
