"""At every moment there is a whole checkpoint, and a training takes the newest whole one."""
import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from training import config, run

from m2ae_mm.checkpoint import check_start
from m2ae_mm.engine import training_runner
from m2ae_mm.engine.hooks import M2AECheckpointHook, checkpoint_hook
from m2ae_mm.files import DiskFullError


def names(folder):
    return sorted(path.name for path in Path(folder).glob('*.pth'))


class Stopped(Exception):
    pass


@pytest.fixture
def stop_at(monkeypatch):
    """Fails at the n-th write of a file whose name contains some text."""

    def set_up(text, count, error=Stopped):
        write, seen = checkpoint_hook.write_bytes, []

        def fail(path, content):
            if text in str(path):
                seen.append(path)
                if len(seen) == count:
                    raise error()
            write(path, content)

        monkeypatch.setattr(checkpoint_hook, 'write_bytes', fail)
        monkeypatch.setattr(checkpoint_hook, 'write_text', lambda path, text: fail(path, text.encode()))

    return set_up


@pytest.mark.parametrize('text, count, there, noted', [
    ('epoch_2', 1, ['epoch_1.pth'], 'epoch_1.pth'),
    ('last_checkpoint', 2, ['epoch_1.pth', 'epoch_2.pth'], 'epoch_1.pth'),
])
def test_the_previous_one_stays_until_the_next_is_there(tmp_path, stop_at, text, count, there, noted):
    stop_at(text, count)
    with pytest.raises(Stopped):
        run(config(tmp_path, checkpoint=dict(max_keep_ckpts=1)))
    assert names(tmp_path) == there and (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / noted)
    losses, _ = run(config(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1)))
    assert min(losses) == 5 and names(tmp_path) == ['epoch_3.pth']


def test_one_that_was_not_removed_is_removed_on_resuming(tmp_path, monkeypatch):
    def stop(hook, path):
        if 'epoch_1' in path:
            raise Stopped

    monkeypatch.setattr(M2AECheckpointHook, '_remove', stop)
    with pytest.raises(Stopped):
        run(config(tmp_path, checkpoint=dict(max_keep_ckpts=1)))
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']
    monkeypatch.undo()
    run(config(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1)))
    assert names(tmp_path) == ['epoch_3.pth']


def test_as_many_are_kept_as_the_config_says(tmp_path):
    run(config(tmp_path, 5, checkpoint=dict(max_keep_ckpts=2)))
    assert names(tmp_path) == ['epoch_4.pth', 'epoch_5.pth']
    run(config(tmp_path / 'all', 3))
    assert names(tmp_path / 'all') == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def hook_of(folder, **options):
    runner, hook = training_runner(config(folder)), M2AECheckpointHook(**options)
    runner.optim_wrapper, runner.param_schedulers = runner.build_optim_wrapper(runner.optim_wrapper), []
    hook.before_train(runner)
    return runner, hook


def test_the_best_stays_until_a_better_one_is_there(tmp_path, stop_at):
    runner, hook = hook_of(tmp_path, save_best='accuracy', rule='greater')
    hook.after_val_epoch(runner, dict(accuracy=0.5))
    assert names(tmp_path) == ['best_accuracy_epoch_0.pth']
    hook.after_val_epoch(runner, dict(accuracy=0.6))  # of the same epoch, so of the same name
    assert names(tmp_path) == ['best_accuracy_epoch_0.pth']
    runner.train_loop._epoch = 1
    hook.after_val_epoch(runner, dict(accuracy=0.7))
    assert names(tmp_path) == ['best_accuracy_epoch_1.pth']
    runner.train_loop._epoch = 2
    stop_at('best', 1)
    with pytest.raises(Stopped):
        hook.after_val_epoch(runner, dict(accuracy=0.8))
    assert names(tmp_path) == ['best_accuracy_epoch_1.pth']


def full():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_the_training_with_what_to_go_on_from(tmp_path, monkeypatch):
    opened, written = open, []

    def fill(path, *args, **options):
        if '.epoch_2.pth' in str(path):
            written.append(path)
            raise full()
        return opened(path, *args, **options)

    monkeypatch.setattr('builtins.open', fill)
    message = r'the disk is full: .*No space left.*at iteration 10. Free .* resume from .*epoch_1.pth with --resume'
    with pytest.raises(DiskFullError, match=message):
        run(config(tmp_path, checkpoint=dict(max_keep_ckpts=1)))
    assert written and names(tmp_path) == ['epoch_1.pth']
    monkeypatch.undo()
    run(config(tmp_path, resume=True))


@pytest.fixture
def trained(tmp_path):
    run(config(tmp_path, 3))
    return tmp_path


def resumed_from(folder):
    options = config(folder, resume=True)
    told = check_start(options)
    return Path(options.load_from).name if options.load_from else None, told


@pytest.mark.parametrize('damage', [lambda path: path.write_bytes(b''),
                                    lambda path: path.write_bytes(path.read_bytes()[:-300]),
                                    lambda path: path.write_bytes(path.read_bytes()[:1000]),
                                    lambda path: path.write_bytes(bytes(5000)),
                                    lambda path: torch.save(dict(state_dict=dict(a=torch.ones(1))), path)])
def test_a_damaged_newest_one_gives_way_to_the_newest_whole_one(trained, damage):
    damage(trained / 'epoch_3.pth')
    name, told = resumed_from(trained)
    assert name == 'epoch_2.pth'
    assert told is None or 'epoch_3.pth' in told and 'resumes from' in told
    damage(trained / 'epoch_2.pth')
    assert resumed_from(trained)[0] == 'epoch_1.pth'


def test_without_a_whole_one_nothing_begins_anew_in_silence(trained):
    for path in trained.glob('*.pth'):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match='no checkpoint in .* can be resumed: .*epoch_3.pth.*epoch_2.pth.*epoch_1.pth'):
        resumed_from(trained)


@pytest.mark.parametrize('note', [None, '', '/nowhere/epoch_3.pth', '/nowhere/epoch_9.pth'])
def test_the_note_of_the_latest_may_be_gone_or_from_another_place(trained, note):
    (trained / 'last_checkpoint').unlink()
    if note is not None:
        (trained / 'last_checkpoint').write_text(note)
    shutil.copy(trained / 'epoch_3.pth', trained / 'best_accuracy_epoch_3.pth')
    assert resumed_from(trained)[0] == 'epoch_3.pth'


def test_the_noted_one_counts_not_the_time_of_the_files(trained):
    os.utime(trained / 'epoch_1.pth')
    assert resumed_from(trained)[0] == 'epoch_3.pth'
