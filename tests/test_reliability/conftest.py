from pathlib import Path
from types import SimpleNamespace

import pytest
from ends import ROOMS, TINY
from scenes import box_scene, write_layout


@pytest.fixture
def message(capfd, monkeypatch, tmp_path_factory):
    """Runs a function as a tool; the message it ended with."""
    from m2ae_mm import errors
    from m2ae_mm.cli.running import run
    monkeypatch.setattr('m2ae_mm.cli.running.tune_process', lambda: None)
    monkeypatch.setattr('m2ae_mm.cli.running.gc', SimpleNamespace(collect=lambda: None))  # takes longer than most rows
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path_factory.mktemp('temporary')))
    monkeypatch.setattr(errors, '_work_folder', None)

    def end(main):
        with pytest.raises(SystemExit) as stop:
            run(main)
        screen = capfd.readouterr().err
        assert stop.value.code == 1 and 'Traceback (most' not in screen, screen[-2000:]
        text = screen[screen.rindex('\nerror: '):].strip()
        *lines, last = text.splitlines()
        assert Path(last[len('(traceback: '):].partition(';')[0]).is_file(), last
        return ' '.join('\n'.join(lines).split())

    return end


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp('scenes'), [box_scene(i, num_points=60) for i in range(2)],
                        [box_scene(9, num_points=60)])


@pytest.fixture(scope='module')
def resumable(scenes, tmp_path_factory):
    """A checkpoint that fits, as mmengine writes it, and the options of its training."""
    import torch

    from m2ae_mm.cli.options import load_config
    from m2ae_mm.cli.train import parse_args
    from mmdet3d.registry import MODELS
    config = load_config(parse_args([ROOMS, '--cfg-options', *TINY]))
    state = MODELS.build(config.model).state_dict()
    content = dict(state_dict=state, meta=dict(epoch=1, iter=1), message_hub={}, param_schedulers=[],
                   optimizer=dict(state={}, param_groups=[dict(params=[0])]))
    path = tmp_path_factory.mktemp('resumable') / 'epoch_1.pth'
    torch.save(content, path)
    return path
