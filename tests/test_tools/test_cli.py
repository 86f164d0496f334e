"""Options of the tools, before anything is built."""
from pathlib import Path

import pytest
from mmengine.config import Config

from m2ae_mm.cli.options import check_keys, check_types
from m2ae_mm.cli.running import run

CONFIG = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs/m2ae/rooms_det.py')


def test_what_the_runner_reads_passes():
    check_keys(CONFIG, ['train_dataloader', 'model', 'load_from', 'custom_hooks', 'randomness', 'sync_bn',
                        'activation_checkpointing', 'efficient_conv_bn_eval'])


@pytest.mark.parametrize('key, message', [
    ('epochs', 'sets epochs, a variable of the config file.*: train_cfg.max_epochs.* param_scheduler.1.end.'),
    ('data_root', 'it: train_dataloader.dataset.data_root, test_dataloader.dataset.data_root, val_dataloader.dataset'),
    ('metainfo', 'it: train_dataloader.dataset.metainfo'),
    ('trian_cfg', 'sets trian_cfg, which this config does not have'),
])
def test_what_nothing_reads_is_refused(key, message):
    with pytest.raises(ValueError, match=message):
        check_keys(CONFIG, [key])


VALUES = CONFIG.to_dict()


def test_words_are_no_numbers():
    check_types(VALUES, {'model.backbone.num_heads': 8, 'model.mask_ratio': 'new', 'load_from': 'x.pth',
                         'model.backbone.init_cfg.checkpoint': 'x.pth', 'param_scheduler.0.end': 3})
    with pytest.raises(ValueError, match="sets model.backbone.num_heads to 'abc', where 'abc' is no number; .* has 4"):
        check_types(VALUES, {'model.backbone.num_heads': 'abc'})
    with pytest.raises(ValueError, match="param_scheduler.1.end to 'abc'"):
        check_types(VALUES, {'param_scheduler.1.end': 'abc'})
    with pytest.raises(ValueError, match="where 'O.8' is no number"):
        check_types(VALUES, {'model.backbone.radii': [0.4, 'O.8', 1.6]})


def disguised():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise SyntaxError('Failed to format the config file') from None  # as mmengine does


def plain():
    raise KeyboardInterrupt


@pytest.mark.parametrize('main', [plain, disguised])
def test_an_interruption_says_how_to_go_on(main, capsys, monkeypatch):
    monkeypatch.setattr('m2ae_mm.cli.running.tune_process', lambda: None)
    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 130
    assert capsys.readouterr().err.strip() == (
        'interrupted. A training resumes from its latest checkpoint with --resume.')
