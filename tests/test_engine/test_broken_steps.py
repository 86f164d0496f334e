"""A loss or gradient that is not finite changes nothing, is counted, and ten in a row end the training."""
import copy

import pytest
import torch
from torch import nn
from training import config, run

from m2ae_mm.engine import M2AEBFloat16OptimWrapper, M2AEOptimWrapper
from m2ae_mm.engine.step_guard import BrokenTrainingError, LateFlags, RunningStatistics


class Break(torch.autograd.Function):
    """The same forwards; backwards the gradient is broken."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float('inf')


def at(steps, spoil):
    def act(runner, batch):
        runner.model.spoil = spoil if runner.iter in steps else None
    return act


def infinite_input(steps):
    def act(runner, batch):
        if runner.iter in steps:
            batch['x'][0, :] = float('inf')
    return act


def state(runner):
    return {**runner.model.state_dict(), **{f'{i}.{name}': value for i, entries in enumerate(
        runner.optim_wrapper.optimizer.state.values()) for name, value in entries.items()}}


@pytest.mark.parametrize('kind, clip, breaks', [
    ('OptimWrapper', None, at([3], lambda x: x * float('nan'))),
    ('OptimWrapper', dict(max_norm=1.), at([3], Break.apply)),
    ('OptimWrapper', dict(type='value', clip_value=1.), infinite_input([3])),
    ('M2AEBFloat16OptimWrapper', None, at([3], Break.apply)),
    ('M2AEBFloat16OptimWrapper', dict(max_norm=1.), infinite_input([3])),
    ('M2AEBFloat16OptimWrapper', dict(type='value', clip_value=1.), at([3], lambda x: x * float('nan')))])
def test_a_broken_step_is_as_if_it_had_not_been(tmp_path, kind, clip, breaks):
    states, wrapper = {}, dict(type=kind, clip_grad=clip)

    def act(runner, batch):
        states[runner.iter] = copy.deepcopy(state(runner))
        breaks(runner, batch)

    _, runner = run(config(tmp_path, 1, optimizer=wrapper), act)
    assert runner.message_hub.get_info('skipped_steps') == 1
    counts = [name for name in states[4] if name.endswith('num_batches_tracked')]
    assert all(torch.equal(value, states[3][name]) for name, value in states[4].items() if name not in counts)
    assert not torch.equal(states[4]['first.weight'], state(runner)['first.weight'])
    assert all(value.isfinite().all() for value in state(runner).values())


def test_collected_gradients_are_left_out_together(tmp_path):
    states = []

    def act(runner, batch):
        states.append(copy.deepcopy(state(runner)))
        at([3], lambda x: x / 0)(runner, batch)

    _, runner = run(config(tmp_path, 2, optimizer=dict(accumulative_counts=2)), act)
    assert runner.message_hub.get_info('skipped_steps') == 1
    assert torch.equal(states[2]['last.weight'], states[4]['last.weight'])
    assert torch.equal(states[2]['norm.running_mean'], states[4]['norm.running_mean'])
    assert not torch.equal(states[0]['last.weight'], states[2]['last.weight'])


def test_ten_in_a_row_end_the_training_with_the_names(tmp_path):
    told = []

    def act(runner, batch):
        runner.logger.warning = lambda message, *_: told.append(message)
        at([3, *range(6, 17)], lambda x: x * float('nan'))(runner, batch)

    message = (r"10 steps in a row, iterations 7 to 16, .* The last one had the samples 'shape_\d', 'shape_\d'. "
               r'The last checkpoint is .*/epoch_3.pth. Look at')
    with pytest.raises(BrokenTrainingError, match=message) as error:
        run(config(tmp_path, 4), act)
    assert len(error.value.losses) == 16 and sum('the step is left out' in each for each in told) == 10
    assert error.value.runner.message_hub.get_info('skipped_steps') == 11
    weights = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)['state_dict']
    assert all(value.isfinite().all() for value in weights.values())
    losses, _ = run(config(tmp_path, 4, resume=True))
    assert min(losses) == 15 and len(losses) == 5


def test_nine_in_a_row_do_not(tmp_path):
    losses, runner = run(config(tmp_path, 4), at([*range(9), *range(10, 19)], lambda x: x * float('nan')))
    assert len(losses) == 20 and runner.message_hub.get_info('skipped_steps') == 18


def test_no_checkpoint_of_broken_weights_is_written(tmp_path):
    def act(runner, batch):
        if runner.iter == 9:
            runner.model.last.bias.data.fill_(float('inf'))

    with pytest.raises(BrokenTrainingError, match=r'tensors of the model or its optimizer hold NaN or infinite values '
                       r'\(state_dict.last.bias\), so no checkpoint is written. The last one is .*epoch_1.pth'):
        run(config(tmp_path, 2), act)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']

    def spoil_state(runner, batch):
        if runner.iter == 9:
            next(iter(runner.optim_wrapper.optimizer.state.values()))['exp_avg_sq'].fill_(float('inf'))

    with pytest.raises(BrokenTrainingError, match=r'\(optimizer.state.0.exp_avg_sq\), so no checkpoint'):
        run(config(tmp_path, 2, resume=True), spoil_state)


@pytest.mark.parametrize('wrapper', [M2AEOptimWrapper, M2AEBFloat16OptimWrapper])
def test_fused_optimizers_are_told_by_the_device(monkeypatch, wrapper):
    """What happens on an accelerator, on a CPU whose answer nobody reads."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), fused=True)
    wrapped = wrapper(optimizer=optimizer)
    reads = []
    monkeypatch.setattr(wrapped, '_told_by_the_device', lambda: True)
    monkeypatch.setattr(torch.Tensor, '__bool__', lambda tensor: reads.append(tensor))
    for factor in (1., float('nan'), 2.):
        before = copy.deepcopy((layer.state_dict(), optimizer.state_dict()['state']))
        wrapped.update_params((layer(torch.ones(1, 3)) * factor).sum())
        after = layer.state_dict(), optimizer.state_dict()['state']
        same = torch.equal(before[0]['weight'], after[0]['weight'])
        assert same == (factor != factor)
        if same:
            assert all(torch.equal(value, after[1][i][name]) for i, entries in before[1].items()
                       for name, value in entries.items())
    assert not reads and not hasattr(optimizer, 'found_inf')
    assert [entries['step'].item() for entries in optimizer.state.values()] == [2, 2]


def test_answers_that_are_not_there_yet_are_not_waited_for():
    class Event:
        done = False

        def query(self):
            return self.done

        def synchronize(self):
            self.done = True

    flags, events = LateFlags(), [Event() for _ in range(102)]
    for i, event in enumerate(events[:3]):
        flags._late.append((i, torch.tensor(i != 1), event, []))
    assert not list(flags.known())
    events[0].done = events[2].done = True
    assert [step.number for step in flags.known()] == [0]
    assert [(step.number, step.finite) for step in flags.known(wait=True)] == [(1, False), (2, True)]
    for i, event in enumerate(events[1:]):
        event.done = False
        flags._late.append((i, torch.tensor(True), event, []))
    assert len(list(flags.known())) == 1 and len(flags._late) == 100


def test_late_answers_restore_an_older_copy():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2, track_running_stats=False))
    statistics = RunningStatistics(model)
    statistics._interval, statistics._most = 5, 3
    for step in range(23):
        statistics.keep(step)
        model[0].running_mean.fill_(step + 1)
    assert [number for number, _ in statistics._copies] == [10, 15, 20]
    statistics.restore(18)
    assert model[0].running_mean.tolist() == [15, 15]
    statistics.restore(3)  # older than there is
    assert model[0].running_mean.tolist() == [10, 10]
    statistics.keep(24)
    assert [number for number, _ in statistics._copies] == [10, 24]
