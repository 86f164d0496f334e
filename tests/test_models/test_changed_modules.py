"""What a module says is what runs: changed modules give the reference's numbers through the fast paths of every device.

CPU kernels, and those of a GPU, interpreted or on one.
"""
import contextlib
import copy

import pytest
import torch
from interpreted import DEVICE, on_gpu_kernels, runs_kernels
from torch import nn
from torch.nn.utils import parametrize

from m2ae_mm.models.layers.low_rank import add_low_rank, low_rank_layers
from m2ae_mm.ops import use_reference
from mmdet3d.registry import MODELS


class _LowRank(nn.Module):
    """LoRA: a product of two thin matrices on top of a weight."""

    def __init__(self, weight):
        super().__init__()
        self.down = nn.Parameter(0.3 * torch.randn(2, weight.shape[1]))
        self.up = nn.Parameter(0.3 * torch.randn(weight.shape[0], 2))

    def forward(self, weight):
        return weight + self.up @ self.down


def _low_rank(*names):
    def change(model):
        for module in map(model.get_submodule, names):
            parametrize.register_parametrization(module, 'weight', _LowRank(module.weight))
    return change


def _doubled(*names):
    def change(model):
        for module in map(model.get_submodule, names):
            module.register_forward_hook(
                lambda module, _, output: 2 * output if isinstance(output, torch.Tensor) else output)
    return change


def _replaced(name, make):
    def change(model):
        parent, _, child = name.rpartition('.')
        setattr(model.get_submodule(parent), child, make(model.get_submodule(name)))
    return change


def _dropping(model):
    for module in model.modules():
        if hasattr(module, 'drop_prob'):
            module.drop_prob = 0.5


def _frozen(*names):
    def change(model):
        for name in names:
            model.get_submodule(name).eval()
    return change


def _lora(targets, drop_rate=0.):
    """Ours, for which the kernels stay on."""
    def change(model):
        add_low_rank(model, rank=2, targets=targets, drop_rate=drop_rate)
        for layer in low_rank_layers(model):
            nn.init.normal_(layer.parametrizations.weight[0].up, std=0.3)
    return change


def _all_frozen(model):
    model.backbone.choose_what_learns(True, None)


def _together(*changes):
    """Each at a place of its own, so that none hides another."""
    def change(model):
        for each in changes:
            each(model)
    return change


def _block(stage, number=0, of='backbone'):
    return f'{of}.stages.{stage}.blocks.{number}'


# Of a block, an embedding or a norm, one part is changed: what is fused goes by these.
CHANGES = dict(
    weights=_together(
        _low_rank(f'{_block(0, 1)}.attn.proj', f'{_block(1)}.attn.qkv', 'backbone.embeddings.1.local'),
        _replaced(f'{_block(2)}.mlp.act', lambda _: nn.ReLU()), _doubled(_block(0, of='neck'), 'neck.norm'),
        _replaced(f'{_block(1, of="neck")}.mlp.act', lambda _: nn.GELU(approximate='tanh')),
        _doubled('backbone.embeddings.0.local'), _frozen('backbone.embeddings.2.lift_norm')),
    hooks=_together(
        _doubled(f'{_block(0, 1)}.attn', f'{_block(1)}.attn.qkv', f'{_block(1)}.mlp.fc2', f'{_block(2)}.norm2',
                 f'{_block(1, of="neck")}.mlp', 'backbone.norms.2', 'backbone.embeddings.0.join',
                 'backbone.embeddings.1.lift_norm'),
        _replaced('neck.stages.0.position.1', lambda _: nn.Sigmoid()),
        _frozen('backbone.embeddings.2.lift_norm', 'backbone.embeddings.2.join_norm')),
    norms=_together(
        _doubled(_block(0, 1)), _frozen('backbone.embeddings.0.lift_norm'),
        _replaced(f'{_block(1)}.norm1', lambda norm: nn.RMSNorm(norm.normalized_shape, 1e-6)),
        _replaced('backbone.embeddings.1.join_norm', lambda norm: nn.LayerNorm(norm.num_features)),
        _replaced('backbone.norms.0', lambda norm: nn.LayerNorm(norm.normalized_shape, elementwise_affine=False))),
    lora=_lora([r'attn\.(qkv|proj)$', r'fc[12]$', 'position', r'\.(lift|local|join|out)$']),
    lora_dropping=_lora('qkv|local', 0.5), all_frozen=_all_frozen, dropping=_dropping)


def _model(change):
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='mmdet3d.PointM2AE', mask_ratio=0.6,
        backbone=dict(type='mmdet3d.PointM2AEEncoder', num_centers=(24, 12, 5), num_neighbors=(4, 4, 3),
                      embed_dims=(12, 24, 24), depths=(2, 1, 1), num_heads=2, radii=None, point_hidden=(8, 12, 16),
                      drop_path_rate=1e-6),
        neck=dict(type='mmdet3d.PointM2AEDecoder', encoder_dims=(12, 24, 24), embed_dims=(24, 24), depths=(1, 1),
                  num_heads=2, drop_path_rate=1e-6),
        head=dict(type='mmdet3d.PointM2AEPretrainHead', in_channels=24, num_points=4)))
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    CHANGES[change](model)
    return model.to(DEVICE)


def _pre_train(model, points, scales, masked):
    """Loss and gradients of a step."""
    torch.manual_seed(2)  # of stochastic depth
    loss = model.head.loss(model.reconstruct(points, scales, masked))['loss_chamfer']
    loss.backward()
    gradients = [each.grad if each.grad is not None else torch.zeros_like(each) for each in model.parameters()]
    return loss.detach(), torch.cat([each.flatten() for each in gradients])


def _features(model, points, scales, masked):
    with torch.no_grad():
        return model.eval().backbone.encode(points, scales, masked)


def _same_as_the_reference(change, task, fast_path):
    model = _model(change)
    points = torch.rand(3, 60, 3, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scales = model.backbone.build_scales(points)
    masked = model.make_masks(scales, torch.Generator().manual_seed(1))
    plain = copy.deepcopy(model)
    with fast_path:
        ours = task(model, points, scales, masked)
    with use_reference():
        for mine, theirs in zip(ours, task(plain, points, scales, masked), strict=True):
            assert (mine - theirs).norm() <= 1e-3 * theirs.norm()


@runs_kernels
@pytest.mark.parametrize('task', [_pre_train, _features])
@pytest.mark.parametrize('change', CHANGES)
def test_on_the_kernels_of_a_gpu(change, task):
    _same_as_the_reference(change, task, on_gpu_kernels())


@pytest.mark.parametrize('task', [_pre_train, _features])
@pytest.mark.parametrize('change', CHANGES)
def test_on_the_kernels_of_a_cpu(monkeypatch, change, task):
    monkeypatch.setattr(f'{__name__}.DEVICE', 'cpu')
    _same_as_the_reference(change, task, contextlib.nullcontext())


@pytest.mark.parametrize('change, fuses', [('lora', True), ('all_frozen', True), ('weights', False), ('norms', True)])
def test_fused_blocks_stay_fused_with_our_low_rank_matrices(monkeypatch, change, fuses):
    """The last has its hook on the block, which the stage looks at."""
    monkeypatch.setattr(f'{__name__}.DEVICE', 'cpu')
    assert _model(change).backbone.stages[0].blocks[1].is_fusible() is fuses
