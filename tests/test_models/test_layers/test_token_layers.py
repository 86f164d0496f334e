import pytest
import torch
from torch import nn

from m2ae_mm.models.layers.mini_pointnet import MiniPointNet
from m2ae_mm.models.layers.token_layers import TokenLayer, takes_batch_statistics, update_running_statistics


@pytest.mark.parametrize('norm,takes', [
    (nn.BatchNorm1d(3), True),
    (nn.SyncBatchNorm(3), False),  # its statistics are those of all processes
    (nn.BatchNorm1d(3).eval(), False),
    (nn.BatchNorm1d(3, affine=False), False),
    (nn.BatchNorm1d(3, momentum=None), False),
    (nn.BatchNorm1d(3, track_running_stats=False), False),
])
def test_batch_statistics_are_those_of_one_process_in_training(norm, takes):
    assert takes_batch_statistics(norm) is takes


def test_running_statistics_follow_with_the_momentum_of_the_norm():
    norm = nn.BatchNorm1d(2, momentum=0.25)
    update_running_statistics(norm, torch.tensor([4., -8.]), torch.tensor([5., 1.]))
    assert norm.running_mean.tolist() == [1, -2] and norm.running_var.tolist() == [2, 1]
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize('module,norm', [
    (TokenLayer(3, 8), 'norm'), (TokenLayer(3, 8, norm=False), 'norm'), (MiniPointNet.merging(3, 8), 'join_norm')])
@pytest.mark.parametrize('trains', [True, False])
def test_a_hook_on_the_norm_keeps_what_the_norm_returned(module, norm, trains):
    seen = []
    module.train(trains).get_submodule(norm).register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.set_grad_enabled(trains):
        module(torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)))
    assert seen[0].min() < 0  # the ReLU behind it has not written over it
