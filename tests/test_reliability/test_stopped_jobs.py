"""Trainings of two processes under PyTorch's launcher that a signal ends: after the same step, with a checkpoint."""
import os
import signal
from pathlib import Path

import pytest
import torch
from processes import FORKED, free_port
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from training import config, run

from m2ae_mm.engine import end_processes, prepare_processes

EPOCHS = 3  # of three steps


def settings(folder, epochs, **more):
    options = config(folder, epochs, launcher='pytorch', checkpoint=dict(interval=EPOCHS, by_epoch=True), **more)
    options.train_dataloader.dataset.count = 12
    prepare_processes(options)
    return options


def signal_all(agent, number, to):
    """Signal the launcher, the second process, or all as a scheduler does."""
    if to in ('process', 'all'):
        os.kill(os.getpid(), number)
    if to in ('launcher', 'all'):
        os.kill(agent, number)


def work(folder, agent, number, to, epochs):
    """One of the processes: its last step, why it ended and its weights go to a file."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)  # a fork has its launcher's handlers, a script has not
    torch.set_num_threads(1)
    rank = int(os.environ['RANK'])

    def act(runner, _):
        if number and runner.iter == 4 and (rank == 1 or to == 'all'):
            signal_all(agent if rank == 1 else os.getpid(), number, to)

    code, options = 0, settings(folder, epochs, resume='auto')
    try:
        losses, runner = run(options, act)
    except SystemExit as stop:
        code, losses, runner = stop.code, stop.losses, stop.runner
    torch.save(dict(code=code, steps=sorted(losses), weights=runner.model.module.state_dict()),
               Path(folder, f'rank_{rank}'))
    if code:
        raise SystemExit(code)
    end_processes()


def launch(folder, port, number, to, epochs):
    """What ``torchrun`` does, with a function in place of a script, forked: anew, each job would import m2ae_mm."""
    options = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, rdzv_backend='static', rdzv_endpoint=f'127.0.0.1:{port}',
        rdzv_configs=dict(rank=0, timeout=60), max_restarts=0, monitor_interval=0.05, start_method='fork')
    try:
        elastic_launch(options, work)(folder, os.getpid(), number, to, epochs)
    except SignalException as error:
        Path(folder, 'launcher').write_text(signal.Signals(error.sigval).name)
    except ChildFailedError as error:
        Path(folder, 'launcher').write_text(str(error.get_first_failure()[1].exitcode))


def job(folder, number=0, to='', epochs=EPOCHS):
    """Run a job; what its processes have left, and how the launcher ended."""
    process = FORKED.Process(target=launch, args=(str(folder), free_port(), number, to, epochs))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    end = Path(folder, 'launcher')
    return [torch.load(folder / f'rank_{rank}', weights_only=True) for rank in (0, 1)], (
        end.read_text() if end.exists() else None)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Weights of a job that nobody stops."""
    ranks, end = job(tmp_path_factory.mktemp('whole'))
    assert end is None and [rank['steps'] for rank in ranks] == [list(range(9))] * 2
    return ranks[0]['weights']


@pytest.mark.parametrize('to, number, epochs, told', [
    ('process', signal.SIGTERM, EPOCHS, '143'),
    ('launcher', signal.SIGHUP, 10000, 'SIGHUP'),
    ('all', signal.SIGTERM, EPOCHS, 'SIGTERM'),
])
def test_all_processes_stop_after_the_same_step(tmp_path, whole, to, number, epochs, told):
    (first, second), end = job(tmp_path, number, to, epochs)
    assert first['code'] == second['code'] == 143 and end in (told, '143')
    assert first['steps'] == second['steps'] and first['steps'][-1] >= 4
    stored = torch.load(tmp_path / 'interrupted.pth', weights_only=True)
    assert stored['meta']['iter'] == first['steps'][-1] + 1
    if epochs == EPOCHS:  # it was stopped in time: goes on as if nothing had been
        assert first['steps'][-1] == 4
        ranks, _ = job(tmp_path)
        assert [rank['steps'] for rank in ranks] == [[5, 6, 7, 8]] * 2
        assert all(torch.equal(value, whole[name]) for name, value in ranks[0]['weights'].items()
                   if 'running' not in name)
