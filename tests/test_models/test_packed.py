"""Point-M2AE on packed rows, with the fused kernels interpreted or on a GPU, against the modules one by one."""
import copy

import pytest
import torch
from interpreted import DEVICE, runs_kernels
from torch import nn

from m2ae_mm.models.backbones import point_m2ae_encoder
from m2ae_mm.models.layers import packed_transformer, token_mlp
from m2ae_mm.models.selfsup.point_m2ae import _loss_of_all, _shape_features
from m2ae_mm.ops import graphs, use_reference
from mmdet3d.registry import MODELS


@pytest.fixture
def packed(monkeypatch):
    """The encoder, the decoder and token layers take the Triton kernels whatever the device."""
    from m2ae_mm.ops import triton
    for module in (point_m2ae_encoder, packed_transformer, token_mlp):
        monkeypatch.setattr(module, 'gpu_kernels', lambda values: triton)


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
def test_pre_training(packed, monkeypatch, options):
    """Loss, gradients and running statistics."""
    model = _model(**options)
    plain = copy.deepcopy(model)
    points, scales, masked, sizes = _batch(model)
    loss = _loss_of_all(model, points, scales, masked, sizes)['loss_chamfer']
    loss.backward()
    monkeypatch.undo()
    with use_reference():
        expected = plain.head.loss(plain.reconstruct(points, scales, masked))['loss_chamfer']
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
@pytest.mark.parametrize('change, packs', [
    (lambda norm: None, True), (lambda norm: setattr(norm, 'momentum', None), False), (nn.Module.eval, False)
])
def test_statistics_that_padding_would_enter_are_not_packed(packed, change, packs):
    model = _model()
    change(model.backbone.embeddings[1].join_norm)
    assert model.backbone.packs_rows(torch.rand(1, 60, 3).to(DEVICE)) is packs
    model.eval()
    assert model.backbone.packs_rows(torch.rand(1, 60, 3).to(DEVICE))


@runs_kernels
def test_entry_points_find_the_numbers_of_rows(packed, monkeypatch):
    """What training and the linear probe call, on one batch after the other."""
    model = _model()
    plain = copy.deepcopy(model)
    batches = [torch.rand(3, 60, 3).to(DEVICE) for _ in range(2)]
    calls = [lambda model, points=points: model.loss(points)['loss_chamfer'] for points in batches]
    calls += [lambda model, points=points: model.extract_feat(points) for points in batches]

    def run(model):
        torch.manual_seed(3)
        return [call(model) for call in calls]

    ours = run(model)
    monkeypatch.undo()
    with use_reference():
        for one, other in zip(ours, run(plain)):
            _close(one, other)
    assert not model._loss_rows.grown  # the margin holds both


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
@pytest.mark.parametrize('mode', ['train', 'eval'])
@pytest.mark.parametrize('batch', [1, 3])
def test_whole_clouds(packed, monkeypatch, batch, mode):
    """What classifiers and detectors see, with local attention."""
    encoder = getattr(_model(radii=(0.3, 0.6, 1.2)).backbone, mode)()
    plain = copy.deepcopy(encoder)
    points = torch.rand(batch, 60, 3, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scales = encoder.build_scales(points)
    ours = _encode_and_differentiate(encoder, points, scales)
    monkeypatch.undo()
    with use_reference():
        _compare_encoders(ours, _encode_and_differentiate(plain, points, scales))


class _Factors(nn.Module):
    """Multiplies each cloud's residual branch by the next of the given factors."""

    def __init__(self, factors):
        super().__init__()
        self.factors = iter(factors)

    def forward(self, x):
        return next(self.factors)[:, None, None] * x


@runs_kernels
def test_skipped_branches(packed, monkeypatch):
    """Stochastic depth, once it has been drawn."""
    encoder = _model(depths=(2, 2, 1)).backbone.train()
    plain = copy.deepcopy(encoder)
    points = torch.rand(3, 60, 3, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    factors = {}
    for own, other in zip(encoder.stages, plain.stages):
        factors[own] = 2 * torch.randint(2, (2 * len(own.blocks), 3)).float().to(DEVICE)
        for block, pair in zip(other.blocks, factors[own].split(2)):
            block.drop_path = _Factors(pair)
    monkeypatch.setattr(packed_transformer, 'draw_drop_paths',
                        lambda stage, rows: list(factors[stage].index_select(1, rows.cloud)))
    scales = encoder.build_scales(points)
    ours = _encode_and_differentiate(encoder, points, scales)
    monkeypatch.undo()
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
        assert bool(model._packed_loss._recordings) is recorded
    # The sums of both differ in their order; eight steps let that grow to 1.1e-4.
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


@runs_kernels
def test_features(packed, monkeypatch):
    model = _model().eval()
    points, scales, masked, sizes = _batch(model)
    with torch.no_grad():
        ours = _shape_features(model, points, scales, masked, sizes)
        monkeypatch.undo()
        with use_reference():
            tokens = model.backbone.encode(points, scales, masked)[-1]
    _close(ours, tokens.mean(1) + tokens.amax(1))


@runs_kernels
def test_drop_path_skips_whole_branches_of_a_cloud():
    from m2ae_mm.models.layers.packing import Rows
    stage = _model(drop_path_rate=0.5).backbone.stages[-1].train()
    rows = Rows.of_all(400, 2, torch.device(DEVICE))
    torch.manual_seed(0)
    factors = packed_transformer.draw_drop_paths(stage, rows)
    assert len(factors) == 2  # one block, two branches
    for factor in factors:
        assert set(factor.tolist()) == {0., 2.}
        assert torch.equal(factor[::2], factor[1::2])
        assert 150 < int((factor[::2] > 0).sum()) < 250
    assert not torch.equal(*factors)
    assert packed_transformer.draw_drop_paths(stage.eval(), rows) == [None, None]


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
def test_token_layer_in_training(packed, monkeypatch, dtype, tolerance):
    torch.manual_seed(0)
    layer = token_mlp.TokenLayer(6, 40).to(DEVICE)
    plain = copy.deepcopy(layer)
    x, towards = torch.randn(2, 3, 35, 6).to(DEVICE), torch.randn(2, 3, 35, 40).to(DEVICE)
    ours = _train_layer(layer, x, towards, dtype)
    assert 'BatchNormReLU' in ours[0].grad_fn.next_functions[0][0].name()  # behind a view
    with pytest.raises(ValueError, match='more than 1 value'):  # as without the kernels
        copy.deepcopy(plain)(x[:1, :1, :1])
    monkeypatch.setattr(token_mlp, 'gpu_kernels', lambda values: None)
    for mine, theirs in zip(ours, _train_layer(plain, x, towards, dtype), strict=True):
        _close(mine.float(), theirs.float(), tolerance)
