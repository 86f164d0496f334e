"""The runner: schedules that have a single step to go from one factor to another."""
import math

import pytest
import torch
from mmengine.optim import OptimWrapper

from m2ae_mm.engine.runner import M2AERunner


def cosine(i: int) -> float:
    """Of the four steps or epochs that follow."""
    return (1 + math.cos(math.pi * i / 4)) / 2


class Bare(M2AERunner):
    """Only what schedules are built from."""

    def __init__(self, batches: int) -> None:
        self._train_loop, self.batches = {}, range(batches)

    @property
    def train_dataloader(self):
        return self.batches


def rates(schedules: list[dict], batches: int, groups: int = 1) -> list[float]:
    """Of the last group, whose rate is 2 / groups, one for every step of five epochs."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(groups)]
    optimizer = torch.optim.SGD([dict(params=[each], lr=2. / (i + 1)) for i, each in enumerate(parameters)], lr=1.)
    schedulers = Bare(batches)._build_param_scheduler(schedules, OptimWrapper(optimizer))
    found = []
    for step in range(1, 5 * batches + 1):
        found.append(optimizer.param_groups[-1]['lr'])
        optimizer.step()
        for each in schedulers:
            if not each.by_epoch or step % batches == 0:
                each.step()
    return found


def warmed_up(kind: str = 'LinearLR', begin: int = 1, **options) -> list[dict]:
    """A warm-up of one epoch, and a cosine from an epoch on."""
    first = dict(type='LinearLR', start_factor=1e-3) if kind == 'LinearLR' else dict(type='ConstantLR', factor=1e-3)
    return [dict(first, begin=0, end=1, **options),
            dict(type='CosineAnnealingLR', eta_min=0., begin=begin, end=5, T_max=5 - begin, **options)]


@pytest.mark.parametrize('groups', [1, 3])
@pytest.mark.parametrize('batches, options', [
    (1, dict(by_epoch=True, convert_to_iter_based=True)), (1, dict(by_epoch=False)), (1, dict(by_epoch=True)),
    (3, dict(by_epoch=True))])
@pytest.mark.parametrize('kind', ['LinearLR', 'ConstantLR'])
def test_a_warm_up_of_one_step_ends_after_it(kind, batches, options, groups):
    highest = 2. / groups
    expected = [1e-3 * highest] + [highest * cosine(i) for i in range(4)]
    assert rates(warmed_up(kind, **options), batches, groups)[::batches] == pytest.approx(expected)


def test_a_schedule_that_goes_on_meanwhile_keeps_its_value():
    whole = [2 * (1 + math.cos(math.pi * i / 5)) / 2 for i in range(5)]
    assert rates(warmed_up(begin=0, by_epoch=True), 1) == pytest.approx([1e-3 * whole[0], *whole[1:]])


def test_one_step_in_the_middle_of_a_training():
    schedule = dict(type='LinearLR', start_factor=1., end_factor=0.1, begin=2, end=3, by_epoch=True)
    assert rates([schedule], 1) == pytest.approx([2., 2., 2., 0.2, 0.2])


def test_longer_warm_ups_are_as_they_were():
    found = rates(warmed_up(by_epoch=True, convert_to_iter_based=True), 3)
    assert found[:3] == pytest.approx([2e-3, 1.001, 2.]) and found[3] == pytest.approx(2.) and found[-1] < found[6] < 2.
