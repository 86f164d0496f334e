import copy

import numpy as np
import pytest
import torch
from torch import nn

from m2ae_mm.models.layers.mini_pointnet import MiniPointNet
from m2ae_mm.ops import use_reference
from m2ae_mm.ops.mini_pointnet.cpu import Norm


def test_split_product_equals_the_concatenated_one():
    torch.manual_seed(0)
    layer = MiniPointNet(3, (8, 12, 16), 5)
    groups = torch.randn(6, 4, 3)
    local = layer.local(torch.relu(layer.lift_norm(layer.lift(groups).flatten(0, 1)))).view(6, 4, 12)
    joined = torch.cat([local.amax(1, keepdim=True).expand(-1, 4, -1), local], -1)
    reference = layer.join(joined).flatten(0, 1)
    layer.join_norm.reset_running_stats()
    layer.lift_norm.reset_running_stats()
    expected = layer.out(torch.relu(layer.join_norm(reference))).view(6, 4, 5).amax(1)
    torch.testing.assert_close(layer(groups), expected)


def test_members_may_come_in_any_order():
    torch.manual_seed(0)
    layer = MiniPointNet.merging(6, 10).eval()
    groups = torch.randn(5, 7, 6)
    torch.testing.assert_close(layer(groups), layer(groups.flip(1)))
    assert isinstance(layer.out, nn.Linear) and layer.out.out_features == 10


def random_layer(make):
    """A layer whose norms have scales of both signs, one of them 0."""
    torch.manual_seed(0)
    layer = make()
    layer.lift_norm.eps, layer.join_norm.eps = 0.3, 0.01
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        layer.join_norm.weight[1] = 0
        layer.lift_norm.weight[2] *= -1
    return layer


def test_evaluation_in_parts_with_folded_norms_changes_nothing(monkeypatch):
    layer = random_layer(lambda: MiniPointNet(3, (8, 12, 16), 5))
    groups = torch.randn(10, 4, 3)
    layer(groups)  # running statistics other than at the start
    whole = layer.eval()(groups).detach()
    monkeypatch.setattr('m2ae_mm.models.layers.mini_pointnet._PART_BYTES', 3 * 4 * 4 * 16)  # 3 groups a part
    with torch.no_grad():
        torch.testing.assert_close(layer(groups), whole, rtol=1e-5, atol=1e-5)


def test_the_reference_calls_the_modules_in_evaluation_too():
    layer = MiniPointNet(3, (8, 12, 16), 5).eval()
    called = []
    for name, module in layer.named_children():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    groups = torch.randn(2, 4, 3)
    with torch.no_grad(), use_reference():
        layer(groups)
    assert called == ['lift', 'lift_norm', 'local', 'join', 'join_norm', 'out']


@pytest.mark.parametrize('norm', [lambda width: nn.LayerNorm(width), lambda width: nn.BatchNorm1d(width, affine=False),
                                  lambda width: nn.BatchNorm1d(width, track_running_stats=False)])
def test_other_norms_are_no_factors(norm):
    layer = MiniPointNet(3, (8, 12, 16), 5)
    layer.lift_norm, layer.join_norm = norm(8), norm(16)
    groups = torch.randn(6, 4, 3)
    layer(groups).sum().backward()
    with_gradients = layer.eval()(groups)
    with torch.no_grad():
        torch.testing.assert_close(layer(groups), with_gradients.detach())


def train_once(layer, groups, towards):
    groups = groups.clone().requires_grad_()
    tokens = layer(groups)
    (tokens * towards).sum().backward()
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return tokens.detach(), groups.grad, gradients, {name: value.clone() for name, value in layer.named_buffers()}


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('make', [lambda: MiniPointNet(3, (8, 12, 16), 40), lambda: MiniPointNet.merging(6, 10)])
def test_training_in_parts_equals_the_operators_in_double_precision(monkeypatch, make, threads):
    layer = random_layer(make)
    double = copy.deepcopy(layer).double()
    groups = 2 + torch.randn(11, 5, layer.lift.in_features)
    towards = torch.randn(11, layer.out.out_features)
    expected = train_once(double, groups.double(), towards)
    monkeypatch.setattr('m2ae_mm.ops.mini_pointnet.cpu._PART_BYTES', 3 * 5 * 4 * layer.join.out_features)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = train_once(layer, groups, towards)
    finally:
        torch.set_num_threads(before)
    for mine, theirs in zip(found[:2], expected[:2]):
        torch.testing.assert_close(mine, theirs.float(), rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(found[2:], expected[2:]):
        assert mine.keys() == theirs.keys()
        for name in mine:
            torch.testing.assert_close(mine[name].double(), theirs[name].double(), rtol=1e-4, atol=1e-4, msg=name)


def test_a_variance_that_rounding_made_negative_is_zero():
    sums = np.array([[4e6], [4e12 - 1]])  # four members of 1e6, whose squares lack 1
    norm = Norm.of(sums, 4, 1e-2, torch.ones(1), torch.zeros(1))
    assert norm.variance == 0 and norm.inverse.item() == pytest.approx(10)


def test_without_fast_paths_training_goes_operator_by_operator():
    layer = random_layer(lambda: MiniPointNet(3, (8, 12, 16), 5))
    groups = torch.randn(6, 4, 3)
    assert 'MiniPointNetStep' in str(layer(groups).grad_fn.name())
    with use_reference():
        assert 'MiniPointNetStep' not in str(layer(groups).grad_fn.name())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert layer(groups).dtype == torch.bfloat16


def test_training_keeps_what_is_not_a_number():
    layer = random_layer(lambda: MiniPointNet(3, (8, 12, 16), 5))
    groups = torch.randn(6, 4, 3)
    groups[2, 1, 0] = torch.nan
    assert layer(groups).isnan().all()  # through the batch statistics
