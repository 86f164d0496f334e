"""A resumed training follows its config where the user has changed it, and else goes on as it was."""
import pytest
import torch
import training
from mmengine.config import Config
from mmengine.runner import Runner

from m2ae_mm.engine import training_runner


def cosine(end):
    return [dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=1, end=end, convert_to_iter_based=True)]


def config(folder, epochs, schedules, batch_size=4, **more):
    """Two steps an epoch."""
    options = training.config(folder, epochs, batch_size=batch_size, param_scheduler=schedules, **more)
    options.train_dataloader.dataset.count = 8
    options.optim_wrapper.optimizer.weight_decay = 0.1
    return options


def run(options):
    """Train; the learning rates of every iteration, what was told, and the runner."""
    rates, told = [], []
    runner = training_runner(options)
    for name in ('info', 'warning'):
        setattr(runner.logger, name, lambda message, *_: told.append(message))
    step = runner.train_loop.run_iter
    runner.train_loop.run_iter = lambda *args: (
        rates.append(runner.optim_wrapper.optimizer.param_groups[0]['lr']), step(*args))
    runner.train()
    for name in ('info', 'warning'):
        delattr(runner.logger, name)
    return rates, [message for message in told if message.startswith('resumed with')], runner


def mmdet3d_runner(options):
    """As mmdet3d's tools make it, from a config that has the hooks of ours."""
    options.default_hooks.update(keeping=dict(type='mmdet3d.M2AEKeepingHook'))
    options.default_hooks.checkpoint.type = 'mmdet3d.M2AECheckpointHook'
    return Runner.from_cfg(options)


def resumed(folder, *args, **options):
    return run(config(folder, *args, resume=True, **options))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Four epochs in one go: rates, and final weights."""
    rates, _, runner = run(config(tmp_path_factory.mktemp('whole'), 4, cosine(4)))
    return rates, runner.model.state_dict()


def test_without_changes_everything_goes_on_as_it_was(tmp_path, whole):
    first, _, _ = run(config(tmp_path, 2, cosine(4)))
    second, told, runner = resumed(tmp_path, 4, cosine(4))
    assert not told and first + second == whole[0]
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, whole[1][name])


@pytest.mark.parametrize('by_epoch_only', [False, True])
def test_a_longer_run_follows_its_schedule(tmp_path, whole, by_epoch_only):
    def schedules(end):
        found = cosine(end)
        if by_epoch_only:
            for each in found:
                del each['convert_to_iter_based']
        return found

    run(config(tmp_path, 2, schedules(2)))
    second, told, runner = resumed(tmp_path, 4, schedules(4))
    expected = whole[0] if not by_epoch_only else run(config(tmp_path / 'other', 4, schedules(4)))[0]
    assert second == expected[4:] and second[-1] < second[0]
    ends = (4, 2) if by_epoch_only else (8, 4)
    assert 'param_scheduler.1 (CosineAnnealingLR): ' in told[0] and f'end {ends[0]} instead of {ends[1]}' in told[0]
    assert f'continues at {second[0]:.4g}' in told[0]
    # What the file of the longer run holds is resumed without a word.
    third, told, _ = resumed(tmp_path, 5, schedules(4))
    assert not told
    assert len(third) == 2 and third[0] <= second[-1]


def test_other_learning_rate_and_weight_decay(tmp_path, whole):
    run(config(tmp_path, 2, cosine(4)))
    options = config(tmp_path, 4, cosine(4), resume=True)
    options.optim_wrapper.optimizer.update(lr=5e-3, weight_decay=0., betas=(0.8, 0.99))
    second, told, runner = run(options)
    assert second == pytest.approx([rate / 2 for rate in whole[0][4:]], rel=2e-3)  # eta_min stays
    group = runner.optim_wrapper.optimizer.param_groups[0]
    assert group['weight_decay'] == 0 and tuple(group['betas']) == (0.8, 0.99)
    for part in ('lr 0.005 instead of 0.01', 'weight_decay 0.0 instead of 0.1', 'betas (0.8, 0.99)'):
        assert part.replace('0.0 ', '0 ') in told[0]
    # Averages of the gradients are those of the checkpoint.
    assert all(state['step'] == 8 for state in runner.optim_wrapper.optimizer.state.values())


def test_groups_of_parameters_keep_their_factors(tmp_path):
    half = dict(lr_mult=0.5)
    groups = dict(paramwise_cfg=dict(norm_decay_mult=0., custom_keys=dict(first=half, last=half)))

    def options(lr, decay, **more):
        found = config(tmp_path, 4, cosine(4), **more)
        found.optim_wrapper.update(groups, constructor='M2AEOptimWrapperConstructor', type='M2AEOptimWrapper')
        found.optim_wrapper.optimizer.update(lr=lr, weight_decay=decay)
        return found

    first = options(1e-2, 0.1)
    first.train_cfg.max_epochs = 2
    run(first)
    _, told, runner = run(options(4e-2, 0., resume=True))
    assert [(group['initial_lr'], group['weight_decay']) for group in runner.optim_wrapper.optimizer.param_groups] == [
        (2e-2, 0.), (4e-2, 0.)]
    assert runner.optim_wrapper.base_param_settings['initial_lr'] == 4e-2
    assert 'lr 0.02 instead of 0.005' in told[0]


def test_another_batch_size_changes_the_length_of_an_epoch(tmp_path):
    run(config(tmp_path, 2, cosine(4)))
    expected = run(config(tmp_path / 'other', 4, cosine(4), batch_size=2))[0]
    second, told, _ = resumed(tmp_path, 4, cosine(4), batch_size=2)
    assert second == expected[8:] and 'end 16 instead of 8' in told[0]


def test_schedules_that_were_not_there(tmp_path):
    run(config(tmp_path, 2, []))
    second, told, _ = resumed(tmp_path, 4, cosine(4))
    assert '2 instead of 0 schedules' in told[0] and second[-1] < 1e-2
    assert resumed(tmp_path, 5, [])[0] == [1e-2] * 2


@pytest.mark.parametrize('left_out, message', [
    (dict(save_optimizer=False), 'it holds no optimizer, as if .* save_optimizer=False; .* load_from=.*epoch_2.pth'),
    (dict(save_param_scheduler=False), 'it holds no param_schedulers, as if .* save_param_scheduler=False; to start a'),
    (dict(save_optimizer=False, save_param_scheduler=False), 'it holds no optimizer and no param_schedulers, as if'),
])
@pytest.mark.parametrize('make', [training_runner, mmdet3d_runner])
def test_a_file_from_which_nothing_goes_on_is_refused(tmp_path, left_out, message, make):
    options = config(tmp_path, 2, cosine(4))
    options.default_hooks.checkpoint.update(left_out)
    run(options)
    with pytest.raises(ValueError, match=message):
        make(config(tmp_path, 4, cosine(4), resume=True)).train()


def test_without_schedules_none_have_to_be_there(tmp_path):
    first, _, _ = run(config(tmp_path, 1, None))
    second, told, _ = resumed(tmp_path, 2, None)
    assert first + second == [1e-2] * 4 and not told


@pytest.mark.parametrize('change, message', [
    (dict(optimizer=dict(type='SGD', lr=1e-2, momentum=0.9)), 'has the options .*betas.* another one. Resume with'),
    (dict(paramwise_cfg=dict(norm_decay_mult=0.)), r'groups of \[6\] parameters, .* of \[1, 1, 1, .*load_from'),
])
def test_the_state_of_another_optimizer_is_refused(tmp_path, change, message):
    run(config(tmp_path, 1, cosine(4)))
    options = config(tmp_path, 2, cosine(4), resume=True)
    options.optim_wrapper = Config(dict(options.optim_wrapper.to_dict(), **change))._cfg_dict
    with pytest.raises(ValueError, match=message):
        run(options)


def test_schedules_in_epochs_that_multiply(tmp_path):
    half = dict(type='ConstantLR', factor=0.5, end=9)
    run(config(tmp_path, 1, [half, dict(type='StepLR', step_size=1)]))
    second, told, _ = resumed(tmp_path, 3, [half, dict(type='StepLR', step_size=2)])
    assert second == pytest.approx([5e-3, 5e-3, 5e-4, 5e-4])
    assert 'param_scheduler.1 (StepLR): end 3 instead of 1, step_size 2 instead of 1. The' in told[0]
