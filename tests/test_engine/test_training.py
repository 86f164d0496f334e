"""Trainings that cannot start say why in one message."""
import os
from pathlib import Path

import pytest
from processes import run_in_processes
from runs import tiny_config
from shapes import write_shapenet55

from m2ae_mm.cli.shortcuts import set_epochs
from m2ae_mm.engine import training, training_runner

FOLDER = 'M2AE_TEST_TRAINING_FOLDER'  # for the processes


def config(folder, name, **options):
    return tiny_config('shapenet_pretrain.py', Path(folder) / name, Path(folder) / 'data', **options)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With five shapes to train on."""
    write_shapenet55(tmp_path / 'data', num_train=5, num_test=1)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def test_fewer_shapes_than_a_batch(folder):
    assert len(training_runner(config(folder, 'enough', batch_size=5)).train_dataloader) == 1
    message = r'a process has 5 training samples, fewer than train_dataloader.batch_size=6.*batch_size to 5 or less'
    with pytest.raises(ValueError, match=message):
        training_runner(config(folder, 'too_few', batch_size=6))


def start_with_four(rank):
    """The message for a batch of four of five shapes in each of two processes."""
    with pytest.raises(ValueError) as error:
        training_runner(config(os.environ[FOLDER], f'rank_{rank}', batch_size=4))
    return str(error.value)


def test_fewer_shapes_than_a_batch_in_every_process(folder):
    for message in run_in_processes(start_with_four, folder):
        assert 'a process has 3 training samples (5 / 2 processes), fewer than train_dataloader.batch_size=4' in message


def test_float16_without_a_gpu(folder, monkeypatch):
    monkeypatch.setattr(training, 'get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match='this machine has none; .*optim_wrapper.type=M2AEBFloat16OptimWrapper.*--amp'):
        training_runner(config(folder, 'amp', **{'optim_wrapper.type': 'AmpOptimWrapper'}))


def test_a_config_without_training(folder):
    options = config(folder, 'none')
    options.train_dataloader = None
    with pytest.raises(ValueError, match='this config has no training .*tools/test.py CONFIG CHECKPOINT'):
        training_runner(options)


@pytest.mark.parametrize('epochs, short', [(300, False), (100, True)])
def test_a_run_that_ends_before_its_schedule_is_warned_of(folder, monkeypatch, epochs, short):
    told = []
    monkeypatch.setattr('mmengine.logging.MMLogger.warning', lambda logger, message, *_: told.append(message))
    training_runner(config(folder, f'run_{epochs}', epochs=epochs, batch_size=2))
    message = ('train_cfg.max_epochs=100, but the schedule of the learning rate is 400 epochs long. To shorten the run '
               'as a whole, set param_scheduler.1.end=100, too.')
    assert (message in told) == short


@pytest.mark.parametrize('epochs', range(1, 9))
def test_a_run_that_was_made_short_as_a_whole_is_not(folder, epochs):
    options = config(folder, 'whole', epochs=300)
    set_epochs(options, epochs)
    assert training._misfit_of_schedule(options) is None


@pytest.mark.parametrize('epochs, schedule, told', [
    (500, dict(), True), (400, dict(), False),
    (500, dict(param_scheduler=[dict(type='MultiStepLR', milestones=[300])]), False),  # goes on without an end
    (500, dict(param_scheduler=[dict(type='LinearLR', end=10)]), False),  # a warm-up is over before
])
def test_a_run_that_goes_on_after_its_schedule_is_warned_of(folder, epochs, schedule, told):
    message = training._misfit_of_schedule(config(folder, 'long', epochs=epochs, **schedule))
    expected = ('train_cfg.max_epochs=500, but the schedule of the learning rate ends with epoch 400: later epochs '
                'keep the last rate. To make the run longer as a whole, set param_scheduler.1.end=500, too.')
    assert message == (expected if told else None)


def test_a_schedule_that_ends_before_it_begins(folder):
    options = config(folder, 'schedule', **{'param_scheduler.1.end': 10})
    message = (r'param_scheduler.1 \(CosineAnnealingLR\) would begin at 10 and end at 10. Set param_scheduler.1.begin '
               'and param_scheduler.0.end, the warm-up, to less than 10, or a later end.')
    with pytest.raises(ValueError, match=message):
        training_runner(options)
    options.param_scheduler = dict(type='LinearLR', begin=3, end=2)
    with pytest.raises(ValueError, match='param_scheduler.0 .LinearLR. .* Set param_scheduler.0.begin to less than 2,'):
        training_runner(options)


def test_the_screen_has_what_happens_and_the_file_everything(folder, capsys):
    runner = training_runner(config(folder, 'quiet', batch_size=1, epochs=2, log_level='INFO'))
    runner.train()
    screen = capsys.readouterr().out
    written = next((folder / 'quiet').glob('*/*.log')).read_text()
    for part in ('Config:', 'System environment:', 'Hooks will be executed', 'paramwise_options'):
        assert part in written and part not in screen
    assert 'Epoch(train)' in screen and 'Epoch(val)' in screen and str(folder / 'quiet') in screen
    assert len(screen.splitlines()) < 25
