"""Frozen encoders and low-rank matrices in several processes and in mixed precision."""
import pytest
import torch
from mmengine.optim import OptimWrapper
from processes import run_in_processes
from torch import distributed

import m2ae_mm  # noqa: F401  the processes do not come through conftest.py
from m2ae_mm.engine import M2AEBFloat16OptimWrapper, M2AEDistributedCPU
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample


def build(**options):
    """A classifier in which no batch norm asks other processes; low-rank matrices that do something."""
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='mmdet3d.PointM2AEClassifier',
        backbone=dict(type='mmdet3d.PointM2AEEncoder', num_centers=(24, 12, 6), num_neighbors=(4, 4, 3),
                      embed_dims=(8, 12, 16), depths=(1, 1, 1), num_heads=2, point_hidden=(6, 8, 10), stage_norm=False,
                      drop_path_rate=0., **options),
        head=dict(type='mmdet3d.PointM2AEClsHead', num_classes=3, in_channels=16, linear=True)))
    model.init_weights()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(0.2 * torch.randn_like(parameter)) if '.up' in name else None
    return model


def batch(rows):
    clouds = torch.rand(4, 50, 3, generator=torch.Generator().manual_seed(1))
    samples = [Det3DDataSample() for _ in range(4)]
    for index, sample in enumerate(samples):
        sample.gt_label = torch.tensor(index % 3)
    return dict(inputs=dict(points=list(clouds[rows])), data_samples=samples[rows])


def train(rows, options):
    model = build(**options)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.05, momentum=0.9))
    wrapped = M2AEDistributedCPU(model) if distributed.is_initialized() else model
    for _ in range(2):  # in the second one, PyTorch says which weights had no gradient in the first
        wrapped.train_step(batch(rows), wrapper)
    return model.state_dict()


def half_frozen(rank):
    return train(slice(2 * rank, 2 * rank + 2), dict(frozen=True))


def half_lora(rank):
    return train(slice(2 * rank, 2 * rank + 2), dict(lora=dict(rank=2)))


@pytest.mark.parametrize('work, options', [(half_frozen, dict(frozen=True)), (half_lora, dict(lora=dict(rank=2)))])
def test_two_processes_train_as_one_without_looking_for_unused_weights(tmp_path, work, options):
    whole = train(slice(0, 4), options)
    for state in run_in_processes(work, tmp_path):
        assert state.keys() == whole.keys()
        for name, value in whole.items():
            torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-5)


def test_low_rank_matrices_learn_in_bfloat16_and_stay_float32():
    model, plain = build(lora=dict(rank=2)), build(lora=dict(rank=2))
    data = batch(slice(0, 4))
    gradients = []
    for each, kind in ((plain, OptimWrapper), (model, M2AEBFloat16OptimWrapper)):
        wrapper = kind(torch.optim.SGD(each.parameters(), 0.))
        with wrapper.optim_context(each):
            loss, _ = each.parse_losses(each(**data, mode='loss'))
        loss.backward()
        learning = [parameter for parameter in each.parameters() if parameter.requires_grad]
        assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in learning)
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in learning]))
    assert 0 < (gradients[1] - gradients[0]).norm() < 0.05 * gradients[0].norm()
