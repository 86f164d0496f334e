"""The demo with tiny settings, and what it says in the end."""
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from processes import program

from m2ae_mm.cli import demo_summary
from m2ae_mm.cli.demo import Demo, parse_args
from m2ae_mm.cli.demo_summary import summary

AP = {'mAP_0.25': 0.4, 'mAP_0.50': 0.1}
RESULTS = {'first look': dict(probe_untrained=37., probe_pretrained=63.),
           'pre-training': {'reconstruction/chamfer': 0.01},
           'shipped detector': AP, 'from scratch': AP, 'pre-trained': {**AP, 'picture_score_thr': 0.2}}
KNOWN = {'linear probe, untrained encoder': (33, 42), 'pre-trained AP25': (35, 45), 'minutes': (5, 15)}


@pytest.fixture
def expected(monkeypatch):
    monkeypatch.setattr(demo_summary, 'EXPECTED', KNOWN)


def test_all_as_expected(expected):
    text = summary(RESULTS, dict(rooms=60, pretrain=540), 600, 60)
    assert '10.0 minutes (expected 5 to 15): rooms 1.0, pretrain 9.0' in text and 'score above 0.20' in text
    assert text.splitlines()[-1] == 'All 3 figures with an expected range are within it.'
    rows = [line.split() for line in text.splitlines() if 'from the pre-training here' in line]
    assert rows[0][-5:] == ['40.0', '(expected', '35', 'to', '45)'] and rows[1][-1] == '10.0'


def test_what_is_not_as_expected_is_said_plainly(expected):
    text = summary({**RESULTS, 'pre-trained': {**AP, 'mAP_0.25': 0.312}}, dict(all=1000), 1000, 60)
    assert text.splitlines()[-1] == ('NOT AS EXPECTED: pre-trained AP25 is 31.2 (expected 35 to 45); minutes is 16.67 '
                                     '(expected 5 to 15).')


def test_what_the_pre_training_is_worth_is_said(expected):
    text = summary({**RESULTS, 'pre-trained': {'mAP_0.25': 0.412, 'mAP_0.50': 0.095}}, dict(all=60), 60, 60)
    assert 'The pre-training here is worth +1.2 AP25 and -0.5 AP50; another seed' in text


def test_the_time_of_a_part_is_not_that_of_the_whole(expected):
    text = summary(RESULTS, dict(all=60), 60, 60, goes_on=True)
    assert '1.0 minutes after an earlier run: all 1.0' in text and 'All 2 figures' in text


def test_other_settings_are_not_measured_by_the_default_ones(expected):
    text = summary(RESULTS, dict(all=1000), 1000, 4, as_default=False)
    assert '(expected' not in text and 'NOT AS' not in text and 'default settings only' in text


def test_a_folder_is_for_one_seed(tmp_path):
    Demo(parse_args(['--out', str(tmp_path), '--seed', '1']))
    (tmp_path / 'result.json').write_text('1')
    with pytest.raises(ValueError, match='seed is 1 there, 2 now'):
        Demo(parse_args(['--out', str(tmp_path), '--seed', '2']))


def test_the_seed_is_that_of_every_training(tmp_path, monkeypatch):
    demo, trained = Demo(parse_args(['--out', str(tmp_path), '--seed', '7'])), {}
    monkeypatch.setattr(demo, 'first_look', dict)
    monkeypatch.setattr(demo, 'tool', lambda *_: None)
    monkeypatch.setattr(demo, 'train', lambda name, _, *options: trained.update({name: options}))
    monkeypatch.setattr(demo, 'test', lambda *_: {})
    monkeypatch.setattr(demo, 'report', lambda _: None)
    demo.main()
    assert list(trained)[0] == 'pretrain' and {*trained} == {'pretrain', 'det_pretrained', 'det_scratch'}
    assert all('randomness.seed=7' in options for options in trained.values())


def test_the_demo_runs_and_goes_on(tmp_path, monkeypatch, capfd):
    """All steps, of the smallest size; a second call does not look at what ships once more."""
    def forked(command, stdin, stdout, stderr, env):
        assert command[0] == sys.executable and (stdin, stderr) == (subprocess.DEVNULL, subprocess.STDOUT)
        done = program(*command[1:], **env)
        stdout.write(done.stdout + done.stderr)
        return done

    fake = SimpleNamespace(run=forked, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT)
    monkeypatch.setattr('m2ae_mm.cli.steps.subprocess', fake)
    tiny = ['--out', str(tmp_path), '--train', '8', '--val', '2', '--cfg-options', 'train_cfg.max_epochs=1',
            'model.backbone.num_centers=[64,32,16]', 'test_dataloader.num_workers=0',
            'test_dataloader.persistent_workers=False']
    Demo(parse_args(tiny)).main()
    assert 'Expected ranges are known for the default settings only' in capfd.readouterr().out
    found = json.loads((tmp_path / 'results.json').read_text())
    assert found['first look']['probe_pretrained'] > found['first look']['probe_untrained'] + 6
    assert 0 < found['pre-trained']['picture_score_thr'] <= 1
    assert (tmp_path / 'gallery' / 'index.html').is_file() and len(list(tmp_path.glob('pictures/*/*.png'))) == 4
    assert len(list((tmp_path / 'first_look' / 'detector').iterdir())) == 4
    called = []
    again = Demo(parse_args(tiny))
    monkeypatch.setattr(again, 'tool', lambda name, *_: called.append(name))
    again.main()
    # What stands on one line runs side by side.
    assert called[:2] == ['rooms', 'pretrain']
    assert {*called[2:4]} == {'det_pretrained', 'det_scratch'}
    assert {*called[4:6]} == {'test_pretrain', 'test_shipped'}
    assert {*called[6:]} == {'test_scratch', 'test_pretrained'}
