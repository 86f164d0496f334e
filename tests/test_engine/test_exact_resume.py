"""A training that was interrupted goes on as if it had not been: losses and weights are equal bit for bit."""
import multiprocessing
import os
import pickle
import signal
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import Runner
from training import config, run

from m2ae_mm.engine.random_state import Draw, ResumableSampler, derive
from m2ae_mm.engine.stop_signals import StopSignals


def same_weights(one, other):
    return all(torch.equal(value, other.model.state_dict()[name]) for name, value in one.model.state_dict().items())


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return run(config(tmp_path_factory.mktemp('whole')))


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('epochs', [1, 2])
def test_from_the_end_of_an_epoch(tmp_path, whole, workers, epochs):
    first, _ = run(config(tmp_path, epochs, workers))
    second, runner = run(config(tmp_path, 3, 2 - workers, resume=True, custom_hooks=[dict(type='RandomTestHook')]))
    assert {**first, **second} == whole[0] and len(first) == 5 * epochs and not first.keys() & second.keys()
    assert same_weights(runner, whole[1]) and not multiprocessing.active_children()


@pytest.mark.parametrize('workers, number, step', [
    (0, signal.SIGTERM, 0), (0, signal.SIGTERM, 7), (0, signal.SIGTERM, 9), (0, signal.SIGHUP, 11),
    (2, signal.SIGTERM, 3), (2, signal.SIGHUP, 9)])
def test_from_the_middle_of_an_epoch_after_a_signal(tmp_path, whole, workers, number, step):
    def stop(runner, _):
        if runner.iter == step:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as stopped:
        run(config(tmp_path, workers=workers), stop)
    assert stopped.value.code == 143 and signal.getsignal(number) == before
    assert not multiprocessing.active_children()
    first = stopped.value.losses
    assert max(first) == step and (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'interrupted.pth')
    second, runner = run(config(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1)))
    assert {**first, **second} == whole[0] and not first.keys() & second.keys()
    assert same_weights(runner, whole[1])
    assert not (tmp_path / 'interrupted.pth').exists() and (tmp_path / 'epoch_3.pth').exists()


def test_a_training_that_failed_does_not_keep_the_signals_from_the_next():
    failed, going = StopSignals(), StopSignals()
    failed.install()
    going.install()
    os.kill(os.getpid(), signal.SIGTERM)
    assert going.received == 'SIGTERM' and failed.received is None
    going.remove()
    assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def plain(folder, resume=False, **checkpoint):
    """For the runner that mmdet3d's tools make of one of our configs."""
    hooks = dict(checkpoint=dict(type='mmdet3d.M2AECheckpointHook', interval=1, **checkpoint),
                 keeping=dict(type='mmdet3d.M2AEKeepingHook'))
    return config(folder, default_hooks=hooks, resume=resume, optimizer=dict(type='M2AEOptimWrapper'))


@pytest.mark.parametrize('step', [3, 9, 12])
def test_with_the_runner_that_other_tools_make(tmp_path, whole, step):
    def stop(runner, _):
        if runner.iter == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as stopped:
        run(plain(tmp_path, max_keep_ckpts=1), stop, Runner.from_cfg)
    second, runner = run(plain(tmp_path, True, max_keep_ckpts=1), make=Runner.from_cfg)
    assert {**stopped.value.losses, **second} == whole[0] and min(second) == step + 1
    assert same_weights(runner, whole[1])


def cut(path):
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize('damage, goes_on_at', [
    (cut, 10), (lambda path: path.write_bytes(b''), 10), (lambda path: path.unlink(), 10),
    (lambda path: (cut(path), cut(path.with_name('epoch_2.pth'))), 5)])
def test_other_tools_resume_the_newest_whole_checkpoint(tmp_path, whole, damage, goes_on_at):
    run(plain(tmp_path), make=Runner.from_cfg)
    damage(tmp_path / 'epoch_3.pth')
    second, runner = run(plain(tmp_path, True), make=Runner.from_cfg)
    assert min(second) == goes_on_at and same_weights(runner, whole[1])


def test_other_tools_do_not_begin_anew_in_silence(tmp_path):
    run(plain(tmp_path), make=Runner.from_cfg)
    for path in tmp_path.glob('*.pth'):
        cut(path)
    with pytest.raises(ValueError, match='no checkpoint in .* can be resumed: .*epoch_3.pth.*epoch_1.pth'):
        run(plain(tmp_path, True), make=Runner.from_cfg)


def test_from_checkpoints_between_the_epochs_ends(tmp_path, whole):
    options = dict(checkpoint=dict(by_epoch=False, interval=4))
    first, _ = run(config(tmp_path, 2, **options))
    second, runner = run(config(tmp_path, 3, load_from=str(tmp_path / 'iter_8.pth'), resume=True, **options))
    assert {**first, **second} == whole[0] and min(second) == 8 and second[8] == first[8]
    assert same_weights(runner, whole[1])


def test_loops_over_iterations(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda _: None)

    def options(folder, **more):
        return config(folder, train_cfg=dict(by_epoch=False, max_iters=12),
                      checkpoint=dict(by_epoch=False, interval=4, **more))

    losses, runner = run(options(tmp_path / 'whole'))
    with pytest.raises(SystemExit):
        run(options(tmp_path), lambda runner, _: runner.iter == 6 and os.kill(os.getpid(), signal.SIGTERM))
    again = options(tmp_path)
    again.resume = True
    second, other = run(again)
    assert min(second) == 7 and second == {number: loss for number, loss in losses.items() if number > 6}
    assert same_weights(runner, other)


def test_without_a_seed_in_the_config(tmp_path):
    first, _ = run(config(tmp_path / 'a', randomness=dict(seed=None)))
    with pytest.raises(SystemExit) as stopped:
        run(config(tmp_path / 'b', randomness=dict(seed=None)),
            lambda runner, _: runner.iter == 6 and os.kill(os.getpid(), signal.SIGTERM))
    assert stopped.value.losses != {key: first[key] for key in stopped.value.losses}
    stored = torch.load(tmp_path / 'b' / 'interrupted.pth', weights_only=True)['meta']
    second, _ = run(config(tmp_path / 'b', randomness=dict(seed=None), resume=True))
    third, _ = run(config(tmp_path / 'c', randomness=dict(seed=stored['seed'])))
    assert {**stopped.value.losses, **second} == third


def test_gradients_that_are_collected_are_not_cut(tmp_path):
    collected = dict(optimizer=dict(accumulative_counts=3))
    losses, runner = run(config(tmp_path / 'whole', **collected))
    with pytest.raises(SystemExit) as stopped:
        run(config(tmp_path, **collected), lambda runner, _: runner.iter == 6 and os.kill(os.getpid(), signal.SIGTERM))
    assert max(stopped.value.losses) == 8
    second, other = run(config(tmp_path, resume=True, **collected))
    assert {**stopped.value.losses, **second} == losses and same_weights(runner, other)


def test_another_order_begins_the_epoch_anew(tmp_path):
    with pytest.raises(SystemExit):
        run(config(tmp_path), lambda runner, _: runner.iter == 6 and os.kill(os.getpid(), signal.SIGTERM))
    told, options = [], config(tmp_path, resume=True, batch_size=5)
    second, _ = run(options, lambda runner, _: told.append(runner.train_loop.done))
    assert set(told) == {0} and len(second) == 4  # two epochs of two


@pytest.mark.parametrize('passed, ended', [(3.1, True), (0.5, False)])  # by a launcher that passes on its own
def test_a_second_signal_ends_the_process_at_once(monkeypatch, passed, ended):
    now = [10.]
    monkeypatch.setattr('m2ae_mm.engine.stop_signals.time', SimpleNamespace(monotonic=lambda: now[0]))
    process = os.fork()
    if not process:
        signals = StopSignals()
        signals.install()
        os.kill(os.getpid(), signal.SIGTERM)
        now[0] += passed
        if signals.received == 'SIGTERM':
            os.kill(os.getpid(), signal.SIGHUP)
        os._exit(7)
    status = os.waitpid(process, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGHUP if ended else os.waitstatus_to_exitcode(status) == 7


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals = StopSignals()
        signals.install()
        os.kill(os.getpid(), signal.SIGHUP)
        signals.remove()
        assert signals.received is None and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_samples_have_seeds_of_their_own(tmp_path):
    class Order:
        seed = 5

        def __iter__(self):
            return iter([2, 2, 0, 1])

        def __len__(self):
            return 4

    sampler = ResumableSampler(Order())
    sampler.base = 1
    draws = list(sampler)
    assert draws == [2, 2, 0, 1] and len({draw.seed for draw in draws}) == 4 and sampler.seed == 5 and len(sampler) == 4
    sampler.skipped = 3
    assert [draw.seed for draw in sampler] == [draws[3].seed] and len(list(sampler)) == 4
    sampler.sampler.epoch = 1
    assert not {draw.seed for draw in sampler} & {draw.seed for draw in draws}
    copy = pickle.loads(pickle.dumps(draws[0]))
    assert isinstance(copy, Draw) and copy == 2 and copy.seed == draws[0].seed
    assert derive(1, 2) != derive(2, 1) and 0 <= derive(1) < 2**63
