"""Options of the tools, before anything is built."""
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
from cli import check_keys  # noqa: E402

CONFIG = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs/m2ae/rooms_det.py')


def test_what_the_runner_reads_passes():
    check_keys(CONFIG, ['train_dataloader', 'model', 'load_from', 'custom_hooks', 'randomness', 'sync_bn',
                        'activation_checkpointing', 'efficient_conv_bn_eval'])


@pytest.mark.parametrize('key, message', [
    ('epochs', 'sets epochs, a variable of the config file.*: train_cfg.max_epochs.* param_scheduler.1.end.'),
    ('data_root', 'for: train_dataloader.dataset.data_root, test_dataloader.dataset.data_root, val_dataloader.dataset'),
    ('num_points', r'for: train_dataloader.dataset.pipeline.\d.num_points'),
    ('trian_cfg', 'sets trian_cfg, which this config does not have'),
])
def test_what_nothing_reads_is_refused(key, message):
    with pytest.raises(ValueError, match=message):
        check_keys(CONFIG, [key])
