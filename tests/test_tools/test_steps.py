"""Tools run one after another, and weights by name from the command line."""
import os
from pathlib import Path

import pytest

from m2ae_mm.cli.options import base_parser, load_config
from m2ae_mm.cli.steps import Steps

ROOT = Path(__file__).resolve().parents[2]


def test_a_step_is_logged_and_timed(tmp_path, capsys):
    steps = Steps(tmp_path, [], threads=3)
    steps.run('count', '-c', 'import os; print("threads", os.environ["OMP_NUM_THREADS"])')
    assert (tmp_path / 'logs' / 'count.log').read_text() == 'threads 3\n'
    assert steps.timings['count'] > 0
    assert 'count' in capsys.readouterr().out


def test_steps_side_by_side_share_the_cores(tmp_path, monkeypatch):
    """Each waits for the other, so they end only if both run at once."""
    monkeypatch.setattr('m2ae_mm.cli.steps.cores', lambda: 6)
    steps = Steps(tmp_path, [])

    def waiting(own, other):
        steps.run(own, '-c', f"""if True:
            import os, time
            from pathlib import Path
            folder = Path({str(tmp_path)!r})
            (folder / {own!r}).touch()
            end = time.time() + 60
            while not (folder / {other!r}).exists():
                assert time.time() < end
                time.sleep(0.02)
            print(os.environ['OMP_NUM_THREADS'])""")
        return own

    assert steps.side_by_side(lambda: waiting('left', 'right'), lambda: waiting('right', 'left')) == ['left', 'right']
    assert [(tmp_path / 'logs' / f'{name}.log').read_text() for name in ('left', 'right')] == ['3\n', '3\n']
    steps.run('after', '-c', 'import os; print(os.environ.get("OMP_NUM_THREADS"))')
    assert (tmp_path / 'logs' / 'after.log').read_text() == f'{os.environ.get("OMP_NUM_THREADS")}\n'


def test_a_failed_step_shows_the_end_of_its_log(tmp_path):
    with pytest.raises(RuntimeError, match=r'(?s)broken failed; the whole log is in .*broken.log.*because of this'):
        Steps(tmp_path, []).run('broken', '-c', 'raise SystemExit("because of this")')


def test_a_folder_is_for_one_kind_of_runs(tmp_path):
    for _ in range(2):
        Steps(tmp_path, ['a=1']).only_for(epochs=30)
    with pytest.raises(ValueError, match=r'other settings: epochs is 30 there, 2 now; options.0 is .a=1. there'):
        Steps(tmp_path, ['a=2']).only_for(epochs=2)
    old = tmp_path / 'old' / 'results'
    old.mkdir(parents=True)
    (old / 'figure.json').write_text('1')
    with pytest.raises(ValueError, match='holds results, but no settings.json'):
        Steps(old.parent, []).only_for(epochs=30)


def config_with(*arguments):
    parser = base_parser('')
    return load_config(parser.parse_args([str(ROOT / 'configs/m2ae/modelnet40_cls.py'), *arguments]))


def test_pretrained_weights_bring_their_sizes():
    model = config_with('--pretrained', 'shapes_small').model
    assert model.backbone.embed_dims == [48, 96, 256] and model.head.in_channels == 256
    assert model.backbone.init_cfg.checkpoint == 'shapes_small'
    # What a task needs stays.
    assert model.backbone.radii == [0.32, 0.64, 1.28] and not model.backbone.stage_norm


def test_options_have_the_last_word():
    own = 'model.backbone.init_cfg.checkpoint=None'
    model = config_with('--pretrained', 'shapes_small', '--cfg-options', own).model
    assert model.backbone.embed_dims == [48, 96, 256] and model.backbone.init_cfg.checkpoint is None
