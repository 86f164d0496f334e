"""The runner: schedules of trainings whose epochs have a single batch."""
import math

import pytest
import torch
from mmengine.optim import OptimWrapper

from m2ae_mm.engine.runner import M2AERunner

SCHEDULES = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, begin=1, end=5, T_max=4, convert_to_iter_based=True)]


class Bare(M2AERunner):
    """Only what schedules are built from."""

    def __init__(self, batches: int) -> None:
        self._train_loop, self.batches = {}, range(batches)

    @property
    def train_dataloader(self):
        return self.batches


def rates(batches: int, groups: int = 1) -> list[float]:
    """Of the last group, one for every step of five epochs."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(groups)]
    optimizer = torch.optim.SGD([dict(params=[each], lr=2. / (i + 1)) for i, each in enumerate(parameters)], lr=1.)
    schedulers = Bare(batches)._build_param_scheduler(SCHEDULES, OptimWrapper(optimizer))
    found = []
    for _ in range(5 * batches):
        found.append(optimizer.param_groups[-1]['lr'])
        optimizer.step()
        for each in schedulers:
            each.step()
    return found


@pytest.mark.parametrize('groups', [1, 3])
def test_a_warm_up_of_one_step_is_over_before_it(groups):
    highest = 2. / groups
    expected = [highest] + [highest * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(4)]
    assert rates(1, groups) == pytest.approx(expected)


def test_longer_warm_ups_are_as_they_were():
    found = rates(3)
    assert found[:3] == pytest.approx([2e-3, 1.001, 2.]) and found[3] == pytest.approx(2.) and found[-1] < found[6] < 2.
