import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from m2ae_mm.engine import M2AEBFloat16OptimWrapper, M2AEOptimWrapperConstructor

OPTIONS = dict(norm_decay_mult=0., bias_decay_mult=0., custom_keys={'0': dict(lr_mult=0.5)})


def test_parameters_of_the_same_options_share_a_group():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 5)))
    settings = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.2, fused=True))
    groups = M2AEOptimWrapperConstructor(settings, OPTIONS)(model).optimizer.param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {(group['lr'], group['weight_decay']): [names[id(weight)] for weight in group['params']]
             for group in groups}
    # '3.0' has the custom key's 0 in its name, too.
    assert found == {(0.05, 0.2): ['0.weight', '0.bias', '3.0.weight', '3.0.bias'],
                     (0.1, 0.): ['1.weight', '1.bias', '2.bias'], (0.1, 0.2): ['2.weight']}


@pytest.mark.parametrize('clip', [None, dict(max_norm=0.1)])
def test_fused_steps_on_joined_groups_are_those_of_mmengine(clip):
    weights = []
    for constructor, fused in (('DefaultOptimWrapperConstructor', False), ('M2AEOptimWrapperConstructor', True)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
        wrapper = build_optim_wrapper(model, dict(
            type='OptimWrapper', constructor=constructor, paramwise_cfg=OPTIONS, clip_grad=clip,
            optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.2, fused=fused)))
        for _ in range(3):
            wrapper.update_params(model(torch.tensor([[1., -2.]])).square().sum())
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-5, atol=1e-6)


def test_what_must_not_decay_keeps_its_learning_rate():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)))
    settings = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.2))
    options = dict(custom_keys={'1': dict(lr_mult=0.5)}, no_decay=['1.0'], norm_decay_mult=0.)
    groups = M2AEOptimWrapperConstructor(settings, options)(model).optimizer.param_groups
    found = {(group['lr'], group['weight_decay'], tuple(weight.shape))
             for group in groups for weight in group['params']}
    assert found == {(0.1, 0.2, (3, 2)), (0.1, 0.2, (3, )), (0.05, 0., (4, 3)), (0.05, 0., (4, )), (0.05, 0.2, (4, ))}


def test_an_optimizer_keeps_its_own_decay():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    for kind, decay in (('SGD', 0), ('AdamW', 0.01)):
        settings = dict(type='OptimWrapper', optimizer=dict(type=kind, lr=0.1))
        groups = M2AEOptimWrapperConstructor(settings, OPTIONS)(model).optimizer.param_groups
        assert {group['weight_decay'] for group in groups} == {decay, 0}


def test_bfloat16_is_for_the_forward_pass_only():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1 + 2**-9)  # bfloat16 has 8 bits: 1
    wrapper = M2AEBFloat16OptimWrapper(torch.optim.SGD(model.parameters(), 2**-10))
    with wrapper.optim_context(model):
        result = model(torch.tensor([[1 + 2**-10]]))
    assert result.dtype == torch.bfloat16 and result.item() == 1
    wrapper.update_params(result.float().sum())
    assert model.weight.item() == 1 + 2**-9 - 2**-10
    assert model(torch.tensor([[3.]])).dtype == torch.float32
