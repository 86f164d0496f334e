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


_BLOCK = 'backbone.stages.0.blocks.1'
CHANGES = dict(
    low_rank_qkv=_low_rank(f'{_BLOCK}.attn.qkv', 'neck.stages.1.blocks.0.attn.qkv'),
    lora=_lora(r'attn\.(qkv|proj)$'), lora_mlp=_lora([r'fc[12]$', 'position']), all_frozen=_all_frozen,
    lora_embeddings=_lora([r'\.(lift|local|join|out)$']), lora_dropping=_lora('qkv|local', 0.5),
    low_rank_proj=_low_rank(f'{_BLOCK}.attn.proj'), low_rank_local=_low_rank('backbone.embeddings.1.local'),
    act=_replaced(f'{_BLOCK}.mlp.act', lambda _: nn.ReLU()),
    tanh=_replaced(f'{_BLOCK}.mlp.act', lambda _: nn.GELU(approximate='tanh')),
    position_act=_replaced('neck.stages.0.position.1', lambda _: nn.Sigmoid()),
    doubled_block=_doubled(_BLOCK), doubled_attn=_doubled(f'{_BLOCK}.attn', 'neck.stages.0.blocks.0.mlp'),
    doubled_qkv=_doubled(f'{_BLOCK}.attn.qkv', f'{_BLOCK}.mlp.fc2'), doubled_norm=_doubled(f'{_BLOCK}.norm2'),
    doubled_last=_doubled('backbone.norms.2', 'neck.norm'), doubled_linear=_doubled('backbone.embeddings.0.local'),
    doubled_join=_doubled('backbone.embeddings.0.join'), doubled_lift_norm=_doubled('backbone.embeddings.1.lift_norm'),
    dropping=_dropping, frozen_lift=_frozen('backbone.embeddings.0.lift_norm'),
    frozen=_frozen('backbone.embeddings.1.lift_norm', 'backbone.embeddings.1.join_norm'),
    layer_norm=_replaced('backbone.embeddings.1.join_norm', lambda norm: nn.LayerNorm(norm.num_features)),
    rms_norm=_replaced(f'{_BLOCK}.norm1', lambda norm: nn.RMSNorm(norm.normalized_shape, 1e-6)),
    no_shift=_replaced('backbone.norms.0', lambda norm: nn.LayerNorm(norm.normalized_shape, elementwise_affine=False)))


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


@pytest.mark.parametrize('change, fuses', [('lora', True), ('lora_mlp', True), ('all_frozen', True),
                                           ('low_rank_proj', False), ('doubled_qkv', False), ('doubled_block', True)])
def test_fused_blocks_stay_fused_with_our_low_rank_matrices(monkeypatch, change, fuses):
    """The last has its hook on the block, which the stage looks at."""
    monkeypatch.setattr(f'{__name__}.DEVICE', 'cpu')
    assert _model(change).backbone.stages[0].blocks[1].is_fusible() is fuses
