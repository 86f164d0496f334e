"""What tools/whole_run.py times and what it makes of it."""
import argparse

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from runs import tiny_config
from shapes import write_shapenet55

from m2ae_mm.cli import whole_run


def test_run_and_bare_steps_are_timed_apart(monkeypatch):
    clock = [100.]
    monkeypatch.setattr(whole_run, '_now', lambda: clock[0])
    monkeypatch.setattr(whole_run, 'START', 40.)
    bare = []

    def bare_step(batch):
        bare.append(batch)
        clock[0] += 1

    batches = whole_run.MeasuredBatches(list('abcdefghijk'), bare_step, steps=5)
    taken = []
    for batch in batches:
        taken.append(batch)
        clock[0] += 3
    assert ''.join(taken) == 'abcdefgh' and bare == ['a'] * 5  # 3 to warm up and 5
    assert (batches.first_step, batches.run_seconds, batches.bare_seconds) == (63, 15, 5)
    assert (batches.entered, batches.left) == ([100], [clock[0]])
    assert list(batches) == ['a'] and len(bare) == 5  # a further epoch


def test_a_cycle_has_one_end_and_the_first_is_told_apart(monkeypatch, tmp_path):
    clock = [0.]
    monkeypatch.setattr(whole_run, '_now', lambda: clock[0])

    @HOOKS.register_module(force=True)
    class SlowTestHook(Hook):
        """Moves the clock: 4 s an iteration, 100 s at the end of the first epoch and 50 s at that of the second."""

        def after_train_iter(self, runner, **_):
            clock[0] += 4

        def after_train_epoch(self, runner):
            clock[0] += 100 / (1 + runner.epoch)

    @HOOKS.register_module(force=True)
    class SlowStepTestHook(Hook):
        """3 s of every training step, bare or not."""

        def before_run(self, runner):
            step = runner.model.train_step

            def slow_step(*args, **kwargs):
                clock[0] += 3
                return step(*args, **kwargs)

            runner.model.train_step = slow_step

    config = tiny_config('shapenet_pretrain.py', tmp_path / 'work', write_shapenet55(tmp_path / 'data'), batch_size=2)
    config.custom_hooks = [dict(type='SlowTestHook'), dict(type='SlowStepTestHook')]
    figures = whole_run.measure(config, argparse.Namespace(repeat=5, steps=4, cycle=2))  # 4 shapes: 10 steps an epoch
    assert figures['steps_per_epoch'] == 10 and figures['end_seconds'] == (100, 50)
    assert figures['bare_samples_per_second'] == pytest.approx(2 / 3)
    assert figures['run_samples_per_second'] == pytest.approx(2 / 7)
    assert figures['share_of_cycle'] == pytest.approx([20 * 3 / (20 * 7 + 100), 20 * 3 / (20 * 7 + 50)])
    assert len(list((tmp_path / 'work').glob('epoch_*.pth'))) == 2


def test_too_few_steps_in_an_epoch_are_refused(tmp_path):
    config = tiny_config('shapenet_pretrain.py', tmp_path / 'work', write_shapenet55(tmp_path / 'data'), batch_size=2)
    with pytest.raises(ValueError, match=r'no more than an epoch has \(2\), got 4; --repeat'):
        whole_run.measure(config, argparse.Namespace(repeat=1, steps=4, cycle=2))
